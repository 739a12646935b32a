"""A page of another site can neither read nor measure this page; a link from there works."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

REFUSED = "a page of another site sent this request"
ROUTES = [
    "/",
    "/deliveries?q=secret",
    "/deliveries/1",
    "/deliveries/1/body",
    "/deliveries/live",
    "/assets/page.js",
    "/language/zh",
]


class Blank(BaseHTTPRequestHandler):
    """An empty page for every URL."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another site</title><body>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(params=["localhost", "127.0.0.1"], ids=["cross-site", "same-site"])
def other(request: pytest.FixtureRequest, browser: Browser, port: int) -> Iterator[Page]:
    """A page of another origin: of another host, or of another port."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{request.param}:{port}/")
    yield page
    context.close()


def test_what_a_page_of_another_site_fetches_is_refused(letterbox, other):
    letterbox.send("github")
    statuses: dict[str, set[int]] = {}
    session = other.context.new_cdp_session(other)
    session.send("Network.enable")
    urls: dict[str, str] = {}
    session.on("Network.requestWillBeSent", lambda sent: urls.update({sent["requestId"]: sent["request"]["url"]}))
    # The browser also reports it for responses that the page must not read.
    session.on(
        "Network.responseReceivedExtraInfo",
        lambda got: statuses.setdefault(got["requestId"], set()).add(got["statusCode"]),
    )
    for route in ROUTES:
        failed = other.evaluate(
            """async url => {
                const of = make => new Promise(done => {
                    const element = make();
                    element.onload = () => done("loaded");
                    element.onerror = () => done("failed");
                    element.src = url;
                    document.body.append(element);
                });
                const fetched = await fetch(url, {mode: "no-cors", credentials: "include"}).then(() => "read", () => "failed");
                return [fetched, await of(() => new Image()), await of(() => document.createElement("script"))];
            }""",
            letterbox.url + route,
        )
        assert failed == ["failed", "failed", "failed"], route
    found = [statuses.get(request, set()) for request, url in urls.items() if url.startswith(letterbox.url)]
    assert len(found) == 3 * len(ROUTES)
    assert all(status == {403} for status in found), found


def test_a_window_that_another_site_opens_is_isolated_from_it(letterbox, other):
    with other.context.expect_page() as opened:
        other.evaluate("url => { window.opened = window.open(url) }", letterbox.url + "/deliveries?q=secret")
    expect(opened.value.locator("body")).to_contain_text(REFUSED)
    other.wait_for_function("window.opened.closed")


def test_a_frame_of_another_site_shows_nothing(letterbox, other):
    other.evaluate(
        "url => { const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame) }",
        letterbox.url + "/",
    )
    other.wait_for_timeout(500)
    assert letterbox.url not in [frame.url for frame in other.frames]


def test_a_link_of_another_site_works(letterbox, other):
    letterbox.send("github")
    other.evaluate(
        "url => { const link = document.createElement('a'); link.href = url; link.text = 'go'; document.body.append(link) }",
        letterbox.url + "/",
    )
    other.get_by_role("link", name="go").click()
    expect(other.locator("#rows .outcome")).to_have_text("queued")
    expect(other.locator("#live")).to_have_class("on")
