"""`letterbox serve --stack`: the page over the archive of a stack on the local AWS."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from letterbox import until
from stack import GITHUB, Stack, StackPage, ago, callback, local_aws, push
from test_looks import PHONE, expect_legible

# So many objects that reading them all takes longer than a page waits.
OBJECTS = 4000


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with local_aws() as aws:
        yield Stack(aws)


@pytest.fixture
def hooks(stack: Stack) -> Iterator[Stack]:
    """The stack with an empty archive and an empty queue."""
    stack.clear()
    yield stack


@pytest.fixture
def serve_stack(hooks: Stack, tmp_path: Path) -> Iterator[Callable[..., StackPage]]:
    started = []

    def serve(*options: str, **settings: str) -> StackPage:
        started.append(StackPage(tmp_path, hooks, *options, **settings))
        return started[-1]

    yield serve
    try:
        for page in started:
            page.expect_sound()
    finally:
        for page in started:
            page.stop()


def open_page(browse: Callable[..., Page], served: StackPage, path: str = "/", **options) -> Page:
    return browse(served.url + path, is_live=False, **options)


def lines(page: Page) -> list[str]:
    """The text of each line of the list."""
    return [" ".join(text.split()) for text in page.locator("#rows a.line").all_inner_texts()]


def mixed(stack: Stack) -> None:
    """Deliveries of all kinds within the last hours."""
    wrong = GITHUB.new()
    stack.archive(
        push(stack.github, ago(minutes=5), 1),
        push(wrong, ago(minutes=10), 2, "refused", "signature_mismatch"),
        # The secret has been corrected since then.
        push(stack.github, ago(minutes=15), 3, "refused", "signature_mismatch"),
        push(stack.github, ago(minutes=20), 4, "unqueued", "queue_full"),
        callback(ago(minutes=25)),
        push(wrong, ago(minutes=30), 6, "refused", "signature_mismatch") | {"omitted": ["message", "body"]},
        push(stack.github, ago(days=2), 7),
    )


def test_the_archive_is_listed_newest_first_within_a_visible_time_range(hooks, serve_stack, browse):
    mixed(hooks)
    served = serve_stack()
    page = open_page(browse, served)
    expect(page).to_have_title("hooks - Letterbox")
    expect(page.locator("#stack")).to_have_text("Stack hooks us-east-1")
    assert "The archive lags" in page.locator("#lags").inner_text()
    kinds = page.locator("#rows .kind").all_inner_texts()
    assert kinds == [
        "github.push",
        "signature_mismatch",
        "signature_mismatch",
        "queue_full",
        "token_mismatch",
        "signature_mismatch",
    ]
    assert re.fullmatch(r"Received from .+ to now", page.locator("#range").inner_text().strip())
    assert "Records searched: 6" in page.locator("#none").inner_text()
    # Nothing is received, sent or stored here.
    assert page.locator("#send, #live, #totals").count() == 0
    assert served.session.post(served.url + "/github", data=b"{}").status_code == 404
    assert served.session.post(served.url + "/deliveries/send").status_code == 405
    assert [path.name for path in served.directory.iterdir()] == ["serve.log"]

    page.get_by_label("Since").fill("3d")
    expect(page.locator("#rows a.line")).to_have_count(7)
    assert "since=3d" in page.url
    page.get_by_label("Until").fill("1d")
    expect(page.locator("#rows a.line")).to_have_count(1)


def test_filters_match_and_say_what_they_do_not(hooks, serve_stack, browse):
    mixed(hooks)
    page = open_page(browse, serve_stack(), expected="400")
    for label, value, count in [
        ("Outcome", "refused", 4),
        ("Provider", "signed", 1),
    ]:
        page.get_by_label(label).select_option(value)
        expect(page.locator("#rows a.line")).to_have_count(count)
    # The inputs of the page before it would be lost.
    with page.expect_navigation():
        page.get_by_role("link", name="Reset").click()
    for label, value, count in [("Reason", "signature_mismatch", 3), ("Type", "push", 1), ("Text", '"NUMBER": 3', 1)]:
        page.get_by_label(label, exact=True).fill(value)
        expect(page.locator("#rows a.line")).to_have_count(count)
        page.get_by_label(label, exact=True).fill("")
        expect(page.locator("#rows a.line")).to_have_count(6)
    page.get_by_label("Text").fill("nowhere")
    expect(page.locator("#none")).to_contain_text("No delivery in this time range matches the filter.")
    page.get_by_label("Since").fill("yesterday")
    expect(page.locator("#range")).to_contain_text("The filter is invalid")
    expect(page.locator("#range")).to_contain_text("since: expected a time such as")


def test_a_delivery_shows_its_steps_judged_again(hooks, serve_stack, browse):
    mixed(hooks)
    page = open_page(browse, serve_stack())
    row = page.locator("#rows a.line")
    row.nth(0).click()
    delivery = page.locator("#delivery")
    expect(delivery).to_contain_text("github.push")
    expect(delivery.locator(".steps li")).to_have_count(delivery.locator(".steps .passed").count())
    expect(delivery).to_contain_text("key 1/1")
    expect(delivery).to_contain_text('"id": "event-1"')
    expect(delivery).to_contain_text("The archive does not contain the response.")
    # The list stays as it is.
    expect(row).to_have_count(6)

    row.nth(1).click()
    expect(delivery.locator(".cause")).to_have_text("secret_mismatch")
    expect(delivery.locator(".steps .failed")).to_contain_text("signature_mismatch")
    expect(delivery).to_contain_text("Judged now, as of the time of receipt")

    row.nth(2).click()
    expect(delivery.locator(".why")).to_contain_text("this delivery would be accepted")
    row.nth(3).click()
    expect(delivery).to_contain_text("queue_full")

    row.nth(4).click()
    expect(delivery).to_contain_text("the archive masks a header that the verification needs (x-callback)")
    expect(delivery).to_contain_text("*** stands for a value that the archive masks.")
    expect(delivery.locator(".steps .passed")).to_have_count(0)
    assert "tokenThatTheArchiveMasks" not in page.content()

    row.nth(5).click()
    expect(delivery).to_contain_text("its body was too large for the archive")

    # Judged by what the secret says now, not when the server started.
    hooks.set_credentials("Github", {"default": {"secret": "another secret of this hook"}})
    try:
        row.nth(2).click()
        expect(delivery.locator(".cause")).to_have_text("secret_mismatch")
    finally:
        hooks.set_credentials("Github", {"default": hooks.github.credentials})
    # The same delivery by its URL, and without JavaScript.
    url = page.url
    plain = browse(url, is_live=False, java_script_enabled=False)
    expect(plain.locator("#delivery .why")).to_contain_text("this delivery would be accepted")
    expect(plain.locator("#rows a.line")).to_have_count(6)


def test_downloads_are_what_the_archive_has(hooks, serve_stack, browse):
    made = push(hooks.github, ago(minutes=5), 1)
    hooks.archive(made)
    served = serve_stack()
    page = open_page(browse, served)
    href = page.locator("#rows a.line").get_attribute("href")
    get = served.session.get
    assert get(f"{served.url}{href}/body").content == made["event"]["body"].encode()
    event = get(f"{served.url}{href}/event")
    assert (event.json(), event.headers["content-disposition"]) == (
        made["event"],
        'attachment; filename="github.push.queued.json"',
    )
    assert get(f"{served.url}{href}/message").json() == made["message"]
    assert get(f"{served.url}{href}/curl").text.startswith("curl ")
    for key, status in [("1-nobody", 404), ("x", 404)]:
        assert get(f"{served.url}/deliveries/{key}/body").status_code == status


def test_a_large_list_has_pages(hooks, serve_stack, browse):
    hooks.archive(*(push(hooks.github, ago(seconds=30 * number), number) for number in range(250)))
    page = open_page(browse, serve_stack())
    seen = []
    for count in (100, 100, 50):
        expect(page.locator("#rows a.line")).to_have_count(count)
        seen += [link.get_attribute("href") for link in page.locator("#rows a.line").all()]
        older = page.get_by_role("link", name="Older")
        if older.count():
            older.click()
    assert len(set(seen)) == 250
    expect(page.locator("#none")).to_contain_text("There are no older ones in this time range.")
    page.get_by_role("link", name="Newest").click()
    expect(page.locator("#rows a.line")).to_have_count(100)


def events(stack: Stack) -> list[dict]:
    return [json.loads(message["Body"]) for message in stack.queue.drain()]


def test_a_replay_is_planned_confirmed_and_done_once(hooks, serve_stack, browse):
    mixed(hooks)
    served = serve_stack()
    page = open_page(browse, served)
    page.get_by_role("button", name="Replay").click()
    state = page.locator("#state")
    expect(state).to_contain_text("Deliveries to replay: 3")
    expect(page.locator("#stack")).to_contain_text("hooks")
    plan = [[cell.inner_text() for cell in row.locator("td").all()] for row in state.locator("tbody tr").all()]
    assert sorted(plan) == sorted(
        [
            ["github", "default", "refused", "signature_mismatch", "2", "to the function"],
            ["github", "default", "unqueued", "queue_full", "1", "to the function"],
            ["github", "default", "refused", "signature_mismatch", "1", "the body was too large for the archive"],
            [
                "signed",
                "default",
                "refused",
                "token_mismatch",
                "1",
                "the archive masks the header with the secret, so the delivery cannot be judged again",
            ],
        ]
    )
    expect(state).to_contain_text("Cannot be replayed: 2")
    expect(state).to_contain_text("The filter names no outcome")
    # Nothing has happened yet.
    assert events(hooks) == []
    job = state.locator("input[name=job]").first.input_value()
    page.get_by_role("button", name="Replay 3").dblclick()
    expect(state).to_contain_text("The replay has ended. 3 / 3", timeout=60_000)
    expect(state.locator(".results")).to_contain_text("2 on the queue")
    expect(state.locator(".results")).to_contain_text("1 refused again")
    refused = state.locator("tbody tr")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("secret_mismatch")
    # The form again, as a second click or a reload would send it.
    for _ in range(2):
        served.session.post(f"{served.url}/replay/run", data={"job": job, "rate": "50"})
    queued = events(hooks)
    assert sorted(event["data"]["number"] for event in queued) == [3, 4]
    assert all("replayedtime" in event for event in queued)
    assert not list(served.directory.glob("*.jsonl"))
    refused.get_by_role("link").click()
    expect(page.locator("#delivery .cause")).to_have_text("secret_mismatch")


def test_one_delivery_is_replayed_whatever_its_outcome(hooks, serve_stack, browse):
    mixed(hooks)
    page = open_page(browse, serve_stack(), "/deliveries?outcome=queued", java_script_enabled=False)
    page.locator("#rows a.line").first.click()
    page.locator("#delivery").get_by_role("button", name="Replay").click()
    state = page.locator("#state")
    # Without JavaScript, the page reloads until there is something to do.
    expect(state).to_contain_text("Deliveries to replay: 1")
    expect(state).to_contain_text("to the queue")
    page.get_by_role("button", name="Replay 1").click()
    expect(state).to_contain_text("The replay has ended. 1 / 1")
    [event] = events(hooks)
    assert (event["id"], "replayedtime" in event) == ("event-1", True)
    page.get_by_role("link", name="Back to the list").click()
    expect(page.locator("#rows a.line")).to_have_count(1)


def many(stack: Stack) -> None:
    stack.archive(*(push(stack.github, ago(minutes=30, milliseconds=-100 * number), number) for number in range(40)))


def plan_slowly(page: Page) -> None:
    page.get_by_label("Outcome").select_option("queued")
    expect(page.locator("#replay")).to_have_attribute("action", "/replay?outcome=queued")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#state")).to_contain_text("Deliveries to replay: 40")
    page.get_by_label("Deliveries per second").fill("2")
    page.get_by_role("button", name="Replay 40").click()
    expect(page.locator("#state progress")).to_be_visible()


def test_a_button_stops_a_replay_and_the_command_continues_it(hooks, serve_stack, browse):
    many(hooks)
    served = serve_stack()
    page = open_page(browse, served)
    plan_slowly(page)
    # Another one has to wait.
    answer = served.session.post(f"{served.url}/replay")
    assert (answer.status_code, "A replay is running" in answer.text) == (400, True)
    state = page.locator("#state")
    expect(state).to_contain_text(re.compile(r"[1-9]\d* / 40"))
    page.get_by_role("button", name="Stop").click()
    expect(state).to_contain_text("The replay was stopped.")
    command = state.locator("pre").inner_text()
    [journal] = served.directory.glob("*.jsonl")
    assert command.endswith(f"stack replay --stack hooks --region us-east-1 --resume {journal.name}")
    before = len(events(hooks))
    assert 0 < before < 40
    done = hooks.run(command, "--yes", "--rate", "1000", directory=served.directory)
    assert done.returncode == 0, done.stderr
    assert before + len(events(hooks)) == 40


def test_leaving_the_page_stops_a_replay(hooks, serve_stack, browse):
    many(hooks)
    served = serve_stack()
    page = open_page(browse, served)
    plan_slowly(page)
    page.close()
    # Asking the server would be looking at the replay.
    [journal] = served.directory.glob("*.jsonl")
    until(lambda: time.time() - journal.stat().st_mtime > 4, 40, "the end of the replay")
    assert "The replay was stopped." in served.session.get(f"{served.url}/replay").text
    assert 0 < len(events(hooks)) < 40


def test_a_plan_is_cancelled(hooks, serve_stack, browse):
    mixed(hooks)
    page = open_page(browse, serve_stack())
    page.get_by_role("button", name="Replay").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_contain_text("Cancelled: nothing was replayed.")
    assert events(hooks) == []


def test_other_sites_can_neither_plan_nor_confirm(hooks, serve_stack):
    mixed(hooks)
    served = serve_stack()
    # The server closes a connection whose body it does not read.
    served.session.headers["Connection"] = "close"
    for path in ("/replay", "/replay/run", "/replay/cancel"):
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            answer = served.session.post(served.url + path, data={"job": "1"}, headers=headers)
            assert answer.status_code == 403, path
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for query, status in [("", 200), ("?since=3d", 403), ("?reason=a", 403), ("?after=1-a", 403)]:
        assert served.session.get(f"{served.url}/deliveries{query}", headers=link).status_code == status
    assert served.session.get(served.url, headers={"Host": "evil.example"}).status_code == 403
    policy = served.session.get(served.url).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")


def test_a_token_protects_the_page(hooks, serve_stack):
    served = serve_stack("--token", "aTokenOfSixteenLetters")
    for path in ("/", "/deliveries", "/deliveries/1-a", "/replay", "/replay/live"):
        assert served.session.get(served.url + path).status_code == 401, path
    # The server closes a connection whose body it does not read.
    served.session.headers["Connection"] = "close"
    for path in ("/replay", "/replay/run", "/replay/cancel"):
        assert served.session.post(served.url + path, data={"job": "1"}).status_code == 401, path
    served.session.headers["Authorization"] = "Bearer aTokenOfSixteenLetters"
    assert served.session.get(served.url).status_code == 200


def test_the_page_is_in_chinese(hooks, serve_stack, browse):
    mixed(hooks)
    page = open_page(browse, serve_stack(), locale="zh-CN")
    expect(page.locator("#stack")).to_have_text("堆栈 hooks us-east-1")
    expect(page.locator("#lags")).to_contain_text("归档有延迟")
    page.locator("#rows a.line").nth(2).click()
    expect(page.locator("#delivery .why")).to_contain_text("这次投递会验证通过")
    page.locator("header").get_by_role("button", name="重放").click()
    expect(page.locator("#state")).to_contain_text("要重放的投递：3")
    page.get_by_role("button", name="重放 3 条").click()
    expect(page.locator("#state")).to_contain_text("重放已结束", timeout=60_000)
    page.get_by_role("link", name="English").click()
    expect(page.locator("#state")).to_contain_text("The replay has ended.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_everything_is_legible_and_fits(hooks, serve_stack, browse, scheme, device):
    mixed(hooks)
    page = open_page(browse, serve_stack(), color_scheme=scheme, **device)
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    expect_legible(page)
    assert page.evaluate(fits)
    assert page.locator("#stack").is_visible()
    page.locator("#rows a.line").nth(4).click()
    expect(page.locator("#delivery")).to_be_visible()
    expect_legible(page)
    assert page.evaluate(fits)
    page.locator("header").get_by_role("button", name="Replay").click()
    expect(page.locator("#state")).to_contain_text("Deliveries to replay: 3")
    assert page.locator("#stack").is_visible()
    expect_legible(page)
    assert page.evaluate(fits)


def test_a_search_says_how_far_it_has_come(hooks, serve_stack, browse):
    made = [push(hooks.github, ago(minutes=10, seconds=20 * number), number) for number in range(OBJECTS)]
    hooks.archive(*made, buffered=None)
    page = open_page(browse, serve_stack(), "/deliveries?q=" + f'"number": {OBJECTS - 1}')
    expect(page.locator("#none")).to_contain_text("No match so far.")
    expect(page.locator("#none")).to_contain_text(re.compile(r"Records searched: [\d,]+, back to .+\."))
    for _ in range(20):
        further = page.get_by_role("link", name="Search further back")
        if not further.count():
            break
        further.click()
        page.wait_for_load_state()
    expect(page.locator("#rows a.line")).to_have_count(1)


@contextmanager
def operator(stack: Stack, *denied: str) -> Iterator[dict[str, str]]:
    """The keys of a user who may do everything but for some actions."""
    iam = stack.aws.client("iam")
    iam.create_user(UserName="operator")
    statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    statements += [{"Effect": "Deny", "Action": action, "Resource": "*"} for action in denied]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="operator", PolicyName="operate", PolicyDocument=document)
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    try:
        yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    finally:
        iam.delete_access_key(UserName="operator", AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName="operator", PolicyName="operate")
        iam.delete_user(UserName="operator")


@pytest.fixture(scope="module")
def strict_stack() -> Iterator[Stack]:
    """On a local AWS that enforces IAM."""
    with local_aws(strict=True) as aws:
        stack = Stack(aws)
        mixed(stack)
        yield stack


@pytest.fixture
def serve_as(strict_stack: Stack, tmp_path: Path) -> Iterator[Callable[..., StackPage]]:
    """Serves with the rights of somebody who lacks some."""
    with ExitStack() as ended:

        def serve(*denied: str) -> StackPage:
            keys = ended.enter_context(operator(strict_stack, *denied))
            served = StackPage(tmp_path, strict_stack, **keys)
            ended.callback(served.stop)
            return served

        yield serve


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:GetObject"])
def test_an_archive_that_may_not_be_read_is_said(serve_as, browse, action):
    page = open_page(browse, serve_as(action), expected="502")
    failure = page.locator("#range [role=alert]")
    expect(failure).to_contain_text("The archive could not be read.")
    expect(failure).to_contain_text(f"{action} is denied: allow {action} on ")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#state")).to_contain_text("The replay could not be planned.")
    expect(page.locator("#state")).to_contain_text(f"allow {action} on ")


def test_credentials_that_may_not_be_read_are_said(serve_as, browse):
    page = open_page(browse, serve_as("secretsmanager:GetSecretValue"))
    page.locator("#rows a.line").nth(1).click()
    delivery = page.locator("#delivery")
    expect(delivery).to_contain_text("This delivery cannot be judged again: the stack's credentials could not be read")
    expect(delivery).to_contain_text("allow secretsmanager:GetSecretValue on ")
    expect(delivery.locator(".steps")).to_contain_text("unknown")
    # What was accepted needs no credentials.
    page.locator("#rows a.line").nth(0).click()
    expect(delivery.locator(".steps .passed")).to_have_count(5)


@pytest.mark.parametrize(
    "action, query", [("lambda:InvokeFunction", ""), ("sqs:SendMessage", "?outcome=queued")]
)
def test_a_replay_that_is_not_allowed_is_said(serve_as, browse, action, query):
    page = open_page(browse, serve_as(action), "/deliveries" + query)
    page.locator("header").get_by_role("button", name="Replay").click()
    page.locator(".confirm button").click()
    state = page.locator("#state")
    expect(state).to_contain_text("The replay was stopped.")
    expect(state.get_by_role("alert")).to_contain_text(re.compile(f"{action}.*(denied|AccessDenied)"))
