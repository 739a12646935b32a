"""The buttons: redeliver, send a sample, copy, save."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from letterbox import DEMO, SAMPLES, credentials, shell

CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}


def clipboard(page: Page, link: str) -> str:
    """The text that the link copies."""
    page.get_by_role("link", name=link).click()
    expect(page.get_by_role("link", name="Copied.")).to_be_visible()
    return page.evaluate("navigator.clipboard.readText()")


def body(letterbox, number: int) -> bytes:
    return letterbox.get(f"/deliveries/{number}/body").content


@pytest.mark.parametrize("provider", SAMPLES)
def test_redeliver_sends_the_same_bytes(letterbox, browse, provider):
    first = letterbox.send(provider)
    page = browse(f"{letterbox.url}/deliveries/{first}")
    page.get_by_role("button", name="Redeliver").click()
    second = first + 1
    expect(page).to_have_url(f"{letterbox.url}/deliveries/{second}")
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Delivery {second} queued")
    expect(page.locator(".facts")).to_contain_text(f"Redelivery of {first}")
    expect(page.locator("#rows > a").first).to_have_id(f"row-{second}")
    assert body(letterbox, second) == body(letterbox, first) != b""
    again = letterbox.queue()
    assert len(again) == 2 and again[0]["id"] == again[1]["id"]
    page.locator(".facts").get_by_role("link", name=str(first)).click()
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Delivery {first} queued")


def test_redeliver_appears_on_other_pages(letterbox, browse):
    first = letterbox.send("github")
    other = browse(letterbox.url)
    browse(f"{letterbox.url}/deliveries/{first}").get_by_role("button", name="Redeliver").click()
    expect(other.locator("#rows > a").first).to_have_id(f"row-{first + 1}")


def test_redeliver_of_a_refused_one_is_refused_again(letterbox, browse):
    first = letterbox.post("/github", b"{}")
    page = browse(f"{letterbox.url}/deliveries/{first}")
    page.get_by_role("button", name="Redeliver").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Delivery {first + 1} refused")


@pytest.mark.parametrize(
    "provider, sample, source",
    [
        ("dingtalk", "user_add_org", "strict"),
        ("opencard", "scenic_spot", "default"),
        ("github", "push", "rotating"),
        ("payment", "charge.succeeded", "stripe"),
    ],
)
def test_send_a_sample_by_the_form(letterbox, browse, provider, sample, source):
    page = browse(letterbox.url)
    page.get_by_text("Send sample").click()
    form = page.locator("#send form")
    form.get_by_label("Sample").select_option(f"{provider}/{sample}")
    sources = form.get_by_label("Source")
    offered = sources.locator("optgroup:not([disabled]):not([hidden]) option").all_text_contents()
    assert sorted(offered) == sorted(DEMO[provider])
    expect(sources).to_have_value("default")
    option = sources.locator(f"optgroup[label={provider}] option[value={source}]")
    sources.select_option(element=option.element_handle())
    form.get_by_role("button", name="Send").click()
    expect(page).to_have_url(f"{letterbox.url}/deliveries/1")
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 1 queued")
    expect(page.locator(".facts")).to_contain_text(f"{provider}/{source}")
    assert [message["source"] for message in letterbox.queue()] == [f"/{provider}/{source}"]


def test_a_source_that_the_next_provider_lacks_is_deselected(letterbox, browse):
    page = browse(letterbox.url)
    page.get_by_text("Send sample").click()
    form = page.locator("#send form")
    form.get_by_label("Sample").select_option("github/push")
    form.get_by_label("Source").select_option("rotating")
    form.get_by_label("Sample").select_option("payment/payment_success")
    expect(form.get_by_label("Source")).to_have_value("default")
    form.get_by_role("button", name="Send").click()
    expect(page.locator(".facts")).to_contain_text("payment/default")


def test_a_sample_that_the_source_does_not_accept_is_refused(serve, browse, tmp_path):
    only = {"default": {"secret": "s", "accept": ["other"]}}
    letterbox = serve(*credentials(tmp_path / "own.json", payment=only))
    page = browse(letterbox.url)
    page.get_by_text("Send sample").click()
    page.locator("#send form").get_by_label("Sample").select_option("payment/payment_success")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 1 refused")
    expect(page.locator(".why .cause")).to_have_text("event_type_not_accepted")


@pytest.mark.parametrize("provider", SAMPLES)
def test_copy_as_curl_sends_the_same_bytes(letterbox, browse, provider):
    first = letterbox.send(provider)
    page = browse(f"{letterbox.url}/deliveries/{first}", **CLIPBOARD)
    done = shell(clipboard(page, "Copy as curl"))
    assert done.returncode == 0, done.stderr
    second = letterbox.later(first)
    expect(page.locator("#rows > a").first).to_have_id(f"row-{second}")
    status = page.locator("#rows .status")
    assert status.nth(0).inner_text() == status.nth(1).inner_text() != ""
    assert body(letterbox, second) == body(letterbox, first)


@pytest.mark.parametrize("content", [b'{"a":"it\'s"}', b"\xff\x00", b""], ids=["text", "bytes", "empty"])
def test_copy_as_curl_of_a_refused_one_is_refused(letterbox, browse, content):
    first = letterbox.post("/github", content, {"X-Hub-Signature-256": "sha256=00", "X-GitHub-Event": "it's"})
    page = browse(f"{letterbox.url}/deliveries/{first}", **CLIPBOARD)
    # curl's exit code for a status of 400 or higher.
    assert shell(clipboard(page, "Copy as curl")).returncode == 22
    second = letterbox.later(first)
    expect(page.locator("#rows > a").first).to_have_id(f"row-{second}")
    status = page.locator("#rows .status")
    assert status.nth(0).inner_text() == status.nth(1).inner_text() != ""
    assert body(letterbox, second) == content


@pytest.mark.parametrize("provider", SAMPLES)
def test_doctor_reads_a_copied_event(letterbox, browse, provider):
    number = letterbox.send(provider)
    page = browse(f"{letterbox.url}/deliveries/{number}", **CLIPBOARD)
    text = clipboard(page, "Copy as sample event")
    assert text == letterbox.get(f"/deliveries/{number}/event").text
    done = letterbox.run("doctor", "--event", "-", given=text)
    assert done.returncode == 0, done.stdout + done.stderr

    with page.expect_download() as download:
        page.get_by_role("link", name="Save as sample event").click()
    assert re.fullmatch(rf"{provider}\..*\.20[02]\.json", download.value.suggested_filename)
    assert json.loads(download.value.path().read_text()) == json.loads(text)


def test_copying_twice_leaves_the_label_as_it_was(letterbox, browse):
    number = letterbox.send("github")
    page = browse(f"{letterbox.url}/deliveries/{number}", **CLIPBOARD)
    page.clock.install()
    link = page.locator(".actions a").first
    for _ in range(2):
        with page.expect_response("**/curl"):
            link.click()
        expect(link).to_have_text("Copied.")
    expect(link).to_have_text("Copy as curl")
    page.clock.fast_forward(10_000)
    expect(link).to_have_text("Copy as curl")


def test_where_copying_is_not_allowed_the_text_opens(letterbox, browse):
    number = letterbox.send("github")
    # Chromium requests an icon for a page that is not HTML.
    page = browse(f"{letterbox.url}/deliveries/{number}", expected="favicon.ico")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Copy as curl").click()
    expect(opened.value.locator("body")).to_contain_text("curl --silent")
    expect(page.locator(".actions")).to_contain_text("The browser does not allow copying here")
