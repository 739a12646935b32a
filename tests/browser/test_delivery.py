"""One delivery in detail: the request, the verification steps, the outcome."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from letterbox import DEMO, credentials

# As a platform may write it, and as the page must show it: only whitespace may differ.
PAYLOADS = {
    "dingtalk": r'{"EventType":"user_add_org","CorpId":"ding1","n":1.50,"t":"\u4e2d中","e":[]}',
    "opencard": r'{"type":"sp_ala","srcid":"123","surface":"mobile","intent":{"scenic_spot":"故宫"},"n":1.50}',
    "github": r'{"action":"opened","n":1.50,"t":"\u4e2d中","repository":{"full_name":"acme/widget"}}',
    "payment": r'{"event_type":"refund","transaction_id":"tx_1","n":1.50,"t":"\u4e2d中"}',
    "signed": r'{"event_type":"refund","transaction_id":"tx_1","n":1.50,"t":"\u4e2d中"}',
}
PRETTY = {
    "dingtalk": r"""{
  "EventType": "user_add_org",
  "CorpId": "ding1",
  "n": 1.50,
  "t": "\u4e2d中",
  "e": []
}""",
    "opencard": r"""{
  "type": "sp_ala",
  "srcid": "123",
  "surface": "mobile",
  "intent": {
    "scenic_spot": "故宫"
  },
  "n": 1.50
}""",
    "github": r"""{
  "action": "opened",
  "n": 1.50,
  "t": "\u4e2d中",
  "repository": {
    "full_name": "acme/widget"
  }
}""",
    "payment": r"""{
  "event_type": "refund",
  "transaction_id": "tx_1",
  "n": 1.50,
  "t": "\u4e2d中"
}""",
}
PRETTY["signed"] = PRETTY["payment"]
HEADERS = {
    "dingtalk": ["content-type", "user-agent"],
    "opencard": ["content-type"],
    "github": ["content-type", "x-github-event", "x-github-delivery", "x-hub-signature-256"],
    "payment": ["content-type", "x-signature"],
    "signed": ["content-type", "x-signature"],
}
PASSED, FAILED, NOT_REACHED = "passed", "failed", "not reached"


def section(page: Page, title: str) -> Locator:
    heading = page.get_by_role("heading", level=3, name=re.compile(f"^{title}"))
    return page.locator("#delivery section", has=heading)


def pairs(place: Locator) -> dict[str, str]:
    names, values = place.locator("dt").all_inner_texts(), place.locator("dd").all_inner_texts()
    return dict(zip(names, values, strict=True))


def steps(page: Page) -> list[str]:
    return page.locator(".steps li em").all_inner_texts()


@pytest.mark.parametrize("provider", PAYLOADS)
def test_all_of_an_accepted_delivery(letterbox, browse, provider):
    payload = PAYLOADS[provider]
    name = {"github": "issues", "opencard": "own", "dingtalk": "own", "payment": "own", "signed": "own"}[provider]
    delivery = letterbox.send(provider, name, data=payload)
    page = browse(letterbox.url)
    page.locator(f"#row-{delivery}").click()
    expect(page).to_have_url(f"{letterbox.url}/deliveries/{delivery}")
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Delivery {delivery} queued")
    expect(page.locator(".facts")).to_contain_text(f"{provider}/default")
    expect(page.locator(".why")).to_have_count(0)

    assert set(steps(page)) == {PASSED}
    expect(page.locator(".steps li").last).to_have_text(re.compile("^Queue: put passed"))
    keys = page.locator(".steps small")
    expect(keys).to_have_text("key 1/1")
    expect(page.locator(".steps li", has=page.locator("small"))).to_contain_text(
        "Key" if provider == "opencard" else "Signature:"
    )

    assert section(page, "Decoded event").locator("pre").inner_text() == PRETTY[provider]
    message = section(page, "Queue message")
    shown = message.locator("pre").inner_text()
    [queued] = letterbox.queue()
    assert json.loads(shown) == queued
    assert '"n": 1.50' in shown
    message.get_by_text("Message attributes").click()
    attributes = pairs(message)
    assert attributes["type"] == queued["type"] and attributes["id"] == queued["id"]

    request = section(page, "Request")
    expect(request.locator(".url")).to_contain_text(f"POST {letterbox.url}/{provider}")
    assert set(HEADERS[provider]) <= set(pairs(request))
    body = letterbox.get(f"/deliveries/{delivery}/body").content.decode()
    shown = request.locator("pre").text_content()
    assert shown == body
    if provider in ("github", "payment", "signed"):
        assert shown == payload
    else:
        assert payload not in shown

    reply = section(page, "Response")
    sent = reply.locator("pre").first.inner_text()
    clear = reply.locator("pre").nth(1)
    expect(reply.get_by_role("heading", name="Plaintext")).to_be_visible()
    if provider == "dingtalk":
        assert set(json.loads(sent)) == {"msg_signature", "timeStamp", "nonce", "encrypt"}
        expect(clear).to_have_text("success")
    elif provider == "opencard":
        assert sent.count(".") == 4
        assert json.loads(clear.inner_text())["data"]["item_list"] == [{"title": "故宫博物院"}]
    else:
        assert json.loads(sent) == json.loads(clear.inner_text()) == {"status": "accepted"}


def test_the_key_that_matched(letterbox, browse, tmp_path):
    old = credentials(tmp_path / "old.json", github={"rotating": DEMO["github"]["rotating"][1]})
    delivery = letterbox.send("github", "push", "--source", "rotating", *old)
    page = browse(f"{letterbox.url}/deliveries/{delivery}")
    expect(page.locator(".steps small")).to_have_text("key 2/2")


def test_a_handshake_has_no_event(letterbox, browse):
    delivery = letterbox.send("dingtalk", "check_url")
    page = browse(f"{letterbox.url}/deliveries/{delivery}")
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Delivery {delivery} answered")
    expect(page.locator(".steps li").last).to_contain_text("nothing to queue")
    expect(section(page, "Decoded event")).to_contain_text("No event: ")
    expect(section(page, "Decoded event").locator("pre")).to_contain_text('"EventType": "check_url"')
    expect(section(page, "Queue message")).to_contain_text("None.")
    expect(section(page, "Response").locator("pre").last).to_have_text("success")


WRONG = {
    "dingtalk token": (
        {"dingtalk": {"default": DEMO["dingtalk"]["default"] | {"token": "another"}}},
        ["passed", "passed", "failed", "not reached", "not reached", "not reached", "not reached"],
        "Signature: SHA-1",
        "token_mismatch",
        "Copy token and aes_key together",
    ),
    "dingtalk owner key": (
        {"dingtalk": {"default": DEMO["dingtalk"]["default"] | {"owner_key": "dinganother"}}},
        ["passed", "passed", "passed", "passed", "failed", "not reached", "not reached"],
        "Owner key",
        "owner_key_mismatch",
        "dinganother",
    ),
    "opencard": (
        {"opencard": {"default": {"keys": {"0": "YW5vdGhlcmFub3RoZXJhbg"}}}},
        ["passed", "passed", "failed", "not reached", "not reached", "not reached"],
        "Key",
        "jwe_key_mismatch",
        "key",
    ),
    "github": (
        {"github": {"default": {"secret": "another"}}},
        ["passed", "passed", "failed", "not reached", "not reached"],
        "Signature: HMAC",
        "secret_mismatch",
        "secret",
    ),
    "payment": (
        {"payment": {"default": {"secret": "another"}}},
        ["passed", "passed", "failed", "not reached", "not reached", "not reached"],
        "Signature:",
        "secret_mismatch",
        "secret",
    ),
}


@pytest.mark.parametrize("keys, states, failed, cause, remedy", WRONG.values(), ids=WRONG)
def test_the_cause_of_a_refusal(letterbox, browse, tmp_path, keys, states, failed, cause, remedy):
    [provider] = keys
    delivery = letterbox.send(provider, None, *credentials(tmp_path / "wrong.json", **keys), is_refused=True)
    page = browse(letterbox.url)
    page.locator(f"#row-{delivery}").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Delivery {delivery} refused")
    assert steps(page) == states
    expect(page.locator(".steps .failed")).to_contain_text(failed)
    why = page.locator(".why")
    expect(why.locator(".cause")).to_have_text(cause)
    expect(why.locator("p").last).to_have_text(re.compile(f"^What to do: .*{remedy}"))
    expect(why).not_to_contain_text("`")
    expect(section(page, "Decoded event")).to_contain_text("No event: the delivery was refused")
    expect(section(page, "Queue message")).to_contain_text("None.")
    expect(section(page, "Response").locator("pre")).to_have_count(0 if provider == "opencard" else 1)
    assert letterbox.queue() == []


def test_a_queue_that_fails(serve, browse):
    nowhere = "http://127.0.0.1:1"
    letterbox = serve("--queue-url", f"{nowhere}/000000000000/q", settings={"AWS_ENDPOINT_URL": nowhere})
    for number, provider, outcome in [(1, "dingtalk", "failed"), (2, "opencard", "unqueued")]:
        # OpenCard gets its reply although the queue failed.
        assert letterbox.send(provider, is_refused=outcome == "failed") == number
        page = browse(f"{letterbox.url}/deliveries/{number}")
        expect(page.get_by_role("heading", level=2)).to_have_text(f"Delivery {number} {outcome}")
        assert steps(page)[-1] == FAILED and set(steps(page)[:-1]) == {PASSED}
        expect(section(page, "Queue message")).to_contain_text("Not on the queue: putting it there failed.")
        expect(section(page, "Queue message").locator("pre")).to_contain_text(
            f'"source": "/{provider}/default"'
        )


def test_an_unknown_source_fails_at_the_first_step(letterbox, browse):
    delivery = letterbox.post("/github/nosuch", b"{}")
    page = browse(f"{letterbox.url}/deliveries/{delivery}")
    assert steps(page) == [FAILED, NOT_REACHED, NOT_REACHED, NOT_REACHED, NOT_REACHED]
    expect(page.locator(".why .cause")).to_have_text("unknown_source")


def test_a_binary_body_is_shown_in_base64(letterbox, browse):
    delivery = letterbox.post("/payment", b"\xff\x00\xfe")
    page = browse(f"{letterbox.url}/deliveries/{delivery}")
    expect(section(page, "Request").locator("pre")).to_have_text("/wD+")
    with page.expect_download() as download:
        section(page, "Request").get_by_role("link", name="Download in full").click()
    assert download.value.path().read_bytes() == b"\xff\x00\xfe"


def test_a_delivery_that_is_not_stored(letterbox, browse):
    page = browse(f"{letterbox.url}/deliveries/77", expected="404")
    expect(page.locator("#delivery")).to_contain_text("No such delivery")
