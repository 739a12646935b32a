"""A server for each test, and a browser whose errors fail the test."""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect

from letterbox import BUILD, ROOT, Letterbox, chromium

# Long enough for a slow machine; an element that is there at once needs no wait.
expect.set_options(timeout=20_000)


def pytest_configure(config: pytest.Config) -> None:
    # SIGTERM ends the run like Ctrl-C, so that its child processes end as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def binary() -> None:
    """The current program: `make browser` has built it, but pytest alone does not."""
    done = subprocess.run(BUILD, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        pytest.exit(f"letterbox does not build:\n{done.stderr}", returncode=1)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Letterbox]]:
    """Starts servers; none may crash during the test."""
    started = []

    def serve(*options: str, **more) -> Letterbox:
        directory = tmp_path / f"letterbox-{len(started)}"
        directory.mkdir()
        started.append(Letterbox(directory, *options, **more))
        return started[-1]

    yield serve
    try:
        for letterbox in started:
            letterbox.expect_sound()
    finally:
        for letterbox in started:
            letterbox.stop()


@pytest.fixture
def letterbox(serve: Callable[..., Letterbox]) -> Letterbox:
    """A server with the demo credentials, and no deliveries yet."""
    return serve()


@pytest.fixture
def browse(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each as another user; unexpected errors and requests to other origins fail the test."""
    contexts, complaints = [], []

    def browse(url: str, *, is_live: bool = True, expected: str | None = None, **options) -> Page:
        usual = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
        context = browser.new_context(**(usual | options))
        contexts.append(context)
        context.set_default_timeout(20_000)
        origin = urlsplit(url).netloc

        def complain(text: str) -> None:
            if not (expected and re.search(expected, text)):
                complaints.append(text)

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complain(f"{message.text} ({message.location['url']})")

        def on_request(request: Request) -> None:
            if urlsplit(request.url).netloc not in ("", origin):
                complain(f"a request to {request.url}")

        def on_dialog(dialog: Dialog) -> None:
            complain(f"a dialog: {dialog.message}")
            dialog.dismiss()

        context.on("console", on_console)
        context.on("request", on_request)
        context.on("dialog", on_dialog)
        context.on("weberror", lambda error: complain(str(error.error)))
        page = context.new_page()
        page.goto(url)
        if is_live:
            expect(page.locator("#live")).to_have_class("on")
        return page

    yield browse
    for context in contexts:
        context.close()
    assert not complaints
