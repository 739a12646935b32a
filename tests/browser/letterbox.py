"""`letterbox serve` in its own folder, its senders, and the Chromium that shows its page."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Browser, sync_playwright

# The one place that makes `platforms` and `servers` importable here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from platforms import PLATFORMS
from servers import BUILD, ROOT, START_TIMEOUT, TARGET, Process, base_environment, until

BINARY = TARGET / "debug/letterbox"
DEMO = {
    path.parent.name: json.loads(path.read_text()) for path in sorted(ROOT.glob("events/*/credentials.json"))
}
# What each provider's quick start sends.
SAMPLES = {provider: platform.SAMPLE for provider, platform in PLATFORMS.items()}
FLAGS = [
    # Chromium refuses its sandbox as root of a container, and all pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def environment() -> dict[str, str]:
    """The environment without the developer's own settings."""
    kept = {name: value for name, value in base_environment().items() if name != "LETTERBOX_TOKEN"}
    return kept | {"NO_PROXY": "*", "no_proxy": "*"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium that is installed."""
    found = subprocess.run(
        [Path(__file__).with_name("chromium.sh")], stdout=subprocess.PIPE, text=True, check=True
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=FLAGS)
        yield browser
        browser.close()


class Letterbox:
    """A server that can be stopped and started again on the same files."""

    def __init__(
        self, directory: Path, *options: str, token: str | None = None, settings: dict[str, str] | None = None
    ) -> None:
        self.directory = directory
        self.database = directory / "letterbox.db"
        self.options = options
        self.settings = settings or {}
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"
        self.start()

    def start(self, port: int = 0) -> None:
        """Starts it; port 0 picks a free port."""
        command = [BINARY, "serve", "--port", port, "--database", self.database, *self.options]
        self.mark = self.log.stat().st_size if self.log.exists() else 0
        self._process = Process(command, self.log, environment() | self.settings)
        announced = until(self._announced, START_TIMEOUT, "the server")
        self.url, self.page_url = announced.groups()

    def _announced(self) -> re.Match | None:
        self._process.expect_alive()
        return re.match(
            r"letterbox .* on (http://\S+), events on .*\n(?:.*\n)?recent deliveries: (\S+)\n", self.output()
        )

    @property
    def log(self) -> Path:
        return self.directory / "serve.log"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def output(self) -> str:
        """Its output since the last start."""
        return self._process.text(self.mark)

    def stop(self) -> None:
        self._process.stop()

    def expect_sound(self) -> None:
        """Asserts that it has neither ended nor panicked."""
        self._process.expect_alive()
        assert "panicked" not in self._process.text()

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=20)

    def newest(self) -> int:
        """The number of the newest delivery on the page."""
        found = re.search(r'data-newest="(\d+)"', self.get("/").text)
        return int(found[1])

    def run(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess:
        """Runs another command of the program."""
        return subprocess.run(
            [BINARY, *arguments],
            cwd=ROOT,
            env=environment(),
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def send(
        self,
        provider: str,
        sample: str | None = None,
        *options: str,
        data: str | None = None,
        is_refused=False,
    ) -> int:
        """Sends a delivery with `letterbox send`; returns its number once it is on the page."""
        before = self.newest()
        if data is not None:
            options = (*options, "--data", "-")
        done = self.run("send", provider, sample or SAMPLES[provider], "--to", self.url, *options, given=data)
        assert done.returncode == int(is_refused), done.stdout + done.stderr
        return self.later(before)

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        """Sends arbitrary bytes; returns the number of the delivery once it is on the page."""
        before = self.newest()
        self.session.post(self.url + path, data=body, headers=headers, timeout=20)
        return self.later(before)

    def later(self, before: int) -> int:
        """Waits for a delivery after `before`; returns its number."""
        return until(lambda: self.newest() > before and self.newest(), 20, "the delivery on the page")

    def queue(self) -> list[dict]:
        """The messages on the embedded queue."""
        done = self.run("events", "--json", "--database", str(self.database))
        return [json.loads(line) for line in done.stdout.splitlines()]


def credentials(path: Path, **providers: dict) -> list[str]:
    """Writes a file of credentials, and returns the option that names it."""
    path.write_text(json.dumps(providers))
    return ["--credentials", str(path)]


def shell(command: str) -> subprocess.CompletedProcess:
    """Runs a command in a shell, as a user who pastes it does."""
    return subprocess.run(
        ["sh", "-c", command],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
