"""Content from a sender is shown as text, and never runs."""

import hashlib
import hmac
import json
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from letterbox import DEMO

MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "\"'><svg/onload=alert(3)>",
    "</pre></dd></option><script>alert(4)</script>",
    "<!--",
    "&lt;b&gt;&amp;&#39;",
    "{{ 7 * 7 }}${7*7}\u202e\u2028\x7f",
]
EVIL = "".join(MARKUP)


def expect_harmless(page: Page) -> None:
    """Asserts that sent content created no element, and no attribute that runs."""
    assert page.locator("script").count() == 1
    assert (
        page.locator("#rows, #delivery, #totals")
        .locator("img, svg svg, figure script, b:not(.outcome)")
        .count()
        == 0
    )
    handlers = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"
    assert page.evaluate(handlers) == []


def signed(body: bytes, **headers: str) -> dict[str, str]:
    mac = hmac.new(DEMO["github"]["default"]["secret"].encode(), body, hashlib.sha256).hexdigest()
    usual = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": f"sha256={mac}",
        "X-GitHub-Event": "issues",
    }
    return usual | headers


@pytest.mark.parametrize("ascii", [True, False], ids=["escaped", "as it is"])
def test_a_payload(letterbox, browse, ascii):
    page = browse(letterbox.url)
    payload = {"action": EVIL, EVIL: [EVIL], "repository": {"full_name": EVIL[:200]}}
    body = json.dumps(payload, ensure_ascii=ascii).encode()
    delivery = letterbox.post("/github", body, signed(body))
    expect(page.locator("#rows .outcome")).to_have_text("queued")
    expect_harmless(page)
    page.locator("#rows > a").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Delivery {delivery} queued")
    texts = page.locator("#delivery pre").all_text_contents()
    assert body.decode() in texts
    assert any(json.loads(text) == payload for text in texts if text != body.decode())
    expect_harmless(page)
    page.reload()
    expect_harmless(page)


def test_an_event_type(letterbox, browse):
    page = browse(letterbox.url)
    body = json.dumps({"event_type": EVIL, "transaction_id": EVIL}).encode()
    mac = hmac.new(DEMO["payment"]["default"]["secret"].encode(), body, hashlib.sha256).hexdigest()
    letterbox.post("/payment", body, {"X-Signature": mac})
    expect(page.locator("#rows > a")).to_have_count(1)
    expect_harmless(page)
    page.reload()
    expect(page.locator("#rows > a")).to_have_count(1)
    expect_harmless(page)
    page.locator("#rows > a").click()
    expect(page.locator("#delivery pre").last).to_be_visible()
    expect_harmless(page)


def test_headers(letterbox, browse):
    page = browse(letterbox.url)
    value = "".join(MARKUP[:6])
    letterbox.post(
        "/github", b"{}", signed(b"{}", **{"X-Evil": value, "X-GitHub-Event": value, "X-Latin": "\xe4\xff"})
    )
    expect(page.locator("#rows > a")).to_have_count(1)
    page.locator("#rows > a").click()
    expect(page.locator("#delivery")).to_be_visible()
    assert value in page.locator("#delivery .pairs dd").all_text_contents()
    expect_harmless(page)


@pytest.mark.parametrize("evil", MARKUP)
def test_a_source_and_a_query(letterbox, browse, evil):
    page = browse(letterbox.url)
    quoted = quote(evil, safe="")
    letterbox.post(f"/github/{quoted}?{quoted}={quoted}", b"{}")
    expect(page.locator("#rows > a")).to_have_count(1)
    expect_harmless(page)
    page.locator("#rows > a").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 1 refused")
    expect(page.locator(".why .cause")).to_have_text("unknown_source")
    assert page.locator(".facts span").first.text_content() == f"github/{evil}"
    assert page.locator("#rows .source").text_content() == evil
    expect_harmless(page)
    page.reload()
    expect_harmless(page)


def test_an_unsigned_body(letterbox, browse):
    page = browse(letterbox.url)
    for provider in DEMO:
        letterbox.post(f"/{provider}", EVIL.encode())
    expect(page.locator("#rows > a")).to_have_count(len(DEMO))
    for row in page.locator("#rows > a").all():
        row.click()
        expect(row).to_have_attribute("aria-current", "true")
        assert page.locator("#delivery section pre").first.text_content() == EVIL
        expect_harmless(page)


def test_a_filter(letterbox, browse):
    letterbox.send("github")
    page = browse(
        f"{letterbox.url}/deliveries?q={quote(EVIL, safe='')}&source={quote(EVIL, safe='')}&provider=%22%3E"
    )
    expect(page.get_by_role("searchbox", name="Text")).to_have_value(EVIL)
    expect_harmless(page)


def test_every_response_is_for_this_page_alone(letterbox):
    letterbox.send("github")
    for path in [
        "/",
        "/deliveries/1",
        "/deliveries/9",
        *(f"/deliveries/1/{part}" for part in ("body", "message", "curl", "event")),
    ]:
        headers = letterbox.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    evil = letterbox.post("/github", MARKUP[0].encode(), {"Content-Type": "text/html"})
    body = letterbox.get(f"/deliveries/{evil}/body")
    assert body.headers["Content-Type"] == "application/octet-stream"
    assert body.headers["Content-Disposition"].startswith("attachment")


def test_another_site_can_neither_read_nor_act(letterbox, browse):
    letterbox.send("github")
    page = browse("data:text/html,<p>elsewhere", is_live=False, expected="CORS|ERR_FAILED|403|127.0.0.1")
    read = "url => fetch(url).then(answer => answer.text()).then(() => 'read', () => 'not read')"
    assert page.evaluate(read, f"{letterbox.url}/deliveries/1") == "not read"
    page.set_content(
        f'<form method="post" action="{letterbox.url}/deliveries/1/redeliver"><button>Do</button></form>'
    )
    page.get_by_role("button").click()
    expect(page.locator("body")).to_contain_text("a page of another site sent this request")
    assert letterbox.newest() == 1


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}, {"Host": "rebound.example"}],
)
def test_requests_from_a_tunnel_are_refused(letterbox, headers):
    for path in ("/", "/deliveries/live", "/deliveries/1/event"):
        assert letterbox.session.get(letterbox.url + path, headers=headers).status_code == 403
