"""The servers of a test run, and who delivers to them."""

import json
import signal
import subprocess
from dataclasses import dataclass, field

import pytest

from platforms import dingtalk, github, opencard, payment
from servers import PROVIDERS, ROOT, Deployment, QueueServer

CARDS = {
    "123": {
        "entries": [
            {
                "intent": {"scenic_spot": "故宫"},
                "data": {"item_list": [{"title": "故宫博物院"}], "jump_url": "/path/to/page3"},
            },
            {"intent": {"scenic_spot": "故宫"}, "surface": "web_h5", "data": {"jump_url": "https://h5"}},
            {"intent": {"a": 1, "b": {"x": [1, 2], "y": "z"}}, "data": {"order": "none"}, "lifetime": 3600},
            {
                "intent": {},
                "location": {"province": "江苏", "city": "南京"},
                "data": {"city": "南京"},
            },
            {"intent": {}, "location": {"province": "江苏"}, "data": {"province": "江苏"}},
        ],
    },
    "124": {"entries": [], "default": {"data": {"any": 1.0}}},
}


@dataclass
class Senders:
    """Every source: who sends to it (a list while its keys rotate), and what its credentials say besides."""

    dingtalk: dict
    opencard: dict
    github: dict
    payment: dict
    besides: dict = field(default_factory=dict)

    def of(self, provider, source="default"):
        return getattr(self, provider)[source]

    def credentials(self, provider):
        def entry(sender, source):
            return sender.credentials | self.besides.get((provider, source), {})

        return json.dumps(
            {
                source: [entry(each, source) for each in sender]
                if isinstance(sender, list)
                else entry(sender, source)
                for source, sender in getattr(self, provider).items()
            }
        )

    def secrets(self):
        for provider in PROVIDERS:
            for sender in getattr(self, provider).values():
                for each in sender if isinstance(sender, list) else [sender]:
                    yield from each.secrets


def make_senders():
    # The owner key of a suite that is being created is this text, the same for everybody.
    creating, suite = dingtalk.App.new("suite4xxxxxxxxxxxxxxx"), "suite4f8d9c5b2a1e"
    services = {
        preset: payment.Service.new(preset) for preset in payment.SIGNERS if preset and preset != "square"
    }
    return Senders(
        dingtalk={
            "default": dingtalk.App.new("dingabcdefgh12345678"),
            "corp": dingtalk.App.new("ding9f50b15bccd16741"),
            "suite": creating,
            "random": dingtalk.App.new("suite4xxxxxxxxxxxxxxx"),
            "fresh": dingtalk.App.new("dingfresh"),
            "rotating": [dingtalk.App.new("dingrotating"), dingtalk.App.new("dingrotating")],
        },
        opencard={
            "default": opencard.Key.new("0"),
            "rotating": [opencard.Key.new("0"), opencard.Key.new("0")],
        },
        github={
            "default": github.Hook.new(),
            "legacy": github.Hook.new(),
            "rotating": [github.Hook.new(), github.Hook.new()],
        },
        payment={
            "default": payment.Service.new(),
            "rotating": [payment.Service.new(), payment.Service.new()],
            "some": payment.Service.new(accept=["payment_success", "refund"]),
            "square": payment.Service.new("square", url=payment.SQUARE_URL),
            "called": payment.Service.new("square"),
            "places": payment.Service.new(type="event.kind", subject="order", id="event.id", time="event.at"),
            **services,
        },
        besides={
            ("dingtalk", "suite"): {"owner_key": [creating.owner_key, suite]},
            ("dingtalk", "random"): {"reply_random": True},
            ("dingtalk", "fresh"): {"tolerance": 60},
            ("github", "legacy"): {"allow_sha1": True},
        },
    )


def pytest_configure(config):
    # A run that is told to end takes its children with it, as one that is interrupted does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def binaries():
    """The functions as they are now; `make system` has built them, a bare pytest may not have."""
    names = [argument for provider in PROVIDERS for argument in ("--bin", provider)]
    done = subprocess.run(["cargo", "build", "--locked", *names], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        pytest.exit(f"the functions do not build:\n{done.stderr}", returncode=1)


@pytest.fixture(scope="session")
def senders():
    return make_senders()


@pytest.fixture(scope="session")
def directory(tmp_path_factory):
    """Logs and files of the run."""
    return tmp_path_factory.mktemp("letterbox")


@pytest.fixture(scope="session")
def queue_server(directory):
    server = QueueServer(directory)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cards(directory):
    path = directory / "cards.json"
    path.write_text(json.dumps(CARDS, ensure_ascii=False))
    return path


@pytest.fixture(scope="session")
def settings(senders, cards):
    """A function's environment, for any queue.

    The deadline is long, so that a slow machine makes no outage; test_outages.py sees to the real ones.
    """

    def settings(provider, endpoint, queue_url, **more):
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "QUEUE_URL": queue_url,
            "CREDENTIALS": senders.credentials(provider),
            "CARDS": str(cards),
            "DEADLINE_MS": "15000",
        } | more

    return settings


@pytest.fixture(scope="session")
def deploy(directory, senders):
    """Starts deployments; every one of them must come through the run sound, and without having told a secret."""
    started = []

    def deploy(name, environments):
        deployment = Deployment(directory, name, environments)
        started.append(deployment)
        return deployment

    yield deploy
    try:
        for deployment in started:
            deployment.expect_sound()
            deployment.expect_discreet(senders.secrets())
    finally:
        for deployment in started:
            deployment.stop()


@pytest.fixture(scope="session")
def queues(queue_server):
    """One standard queue for each function, so that tests see only what they caused."""
    return {provider: queue_server.create(f"letterbox-{provider}") for provider in PROVIDERS}


@pytest.fixture(scope="session")
def letterbox_functions(deploy, settings, queue_server, queues):
    return deploy(
        "standard",
        {provider: settings(provider, queue_server.endpoint, queues[provider].url) for provider in PROVIDERS},
    )


@pytest.fixture
def letterbox(letterbox_functions, queues):
    """The four functions with empty queues."""
    for queue in queues.values():
        queue.drain()
    yield letterbox_functions
    letterbox_functions.expect_sound()
