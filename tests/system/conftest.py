"""The servers of a test run, and the senders."""

import fcntl
import json
import os
import signal
import subprocess
from contextlib import ExitStack

import pytest

from platforms import PLATFORMS
from servers import BUILD, PROVIDERS, ROOT, SUMMARY, Deployment, QueueServer, until


class Senders:
    """The sender of every source of every provider, or a list of two during a rotation."""

    def __init__(self):
        self._of = {provider: platform.new_senders() for provider, platform in PLATFORMS.items()}

    def of(self, provider, source="default"):
        return self._of[provider][source]

    def credentials(self, provider):
        """The credentials JSON of a function."""
        return json.dumps(
            {
                source: [each.credentials for each in sender]
                if isinstance(sender, list)
                else sender.credentials
                for source, sender in self._of[provider].items()
            }
        )

    def secrets(self):
        for sources in self._of.values():
            for sender in sources.values():
                for each in sender if isinstance(sender, list) else [sender]:
                    yield from each.secrets


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == SUMMARY:
                terminalreporter.section(report.nodeid.rpartition("::")[2])
                terminalreporter.write_line(text)


def pytest_configure(config):
    # SIGTERM ends the run like Ctrl-C, so that its child processes end as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def binaries():
    """The current functions: `make system` has built them, but pytest alone does not."""
    done = subprocess.run(BUILD, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        pytest.exit(f"the functions do not build:\n{done.stderr}", returncode=1)


# What comes in time here does not beside other tests.
ALONE = ["test_archive", "test_faults"]
# In seconds: several times what they take beside the builds.
ALONE_TIMEOUT = 1200
# These take the longest: begun last, they would run when all others have ended.
LONG = ["test_gaps", "test_start", "test_contacts_safety", "test_outages"]


def pytest_collection_modifyitems(items):
    """Files that run alone come first: later, they would wait for the others, and the others for them."""
    order = {name: position for position, name in enumerate([*ALONE, *LONG])}
    items.sort(key=lambda item: order.get(item.module.__name__, len(order)))


@pytest.fixture(scope="module", autouse=True)
def side_by_side(request, tmp_path_factory):
    """The tests of a file run beside those of others, or alone: a lock over the workers, and a queue before it."""
    base = tmp_path_factory.getbasetemp()
    files = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    is_alone = request.module.__name__ in ALONE
    if not is_alone:
        # A worker that begins with another file comes after them as well.
        collected = {item.module.__name__ for item in request.session.items}
        first = [files / name for name in ALONE if name in collected]
        until(lambda: all(begun.exists() for begun in first), ALONE_TIMEOUT, "the files that run alone")
    with ExitStack() as held:
        next_one, running = (held.enter_context((files / name).open("w")) for name in ["next", "running"])
        fcntl.flock(next_one, fcntl.LOCK_EX)
        fcntl.flock(running, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        fcntl.flock(next_one, fcntl.LOCK_UN)
        if is_alone:
            (files / request.module.__name__).touch()
        yield


@pytest.fixture(scope="session")
def senders():
    return Senders()


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
def settings(senders, directory):
    """A function's environment, for any queue.

    The deadline is long, so that a slow machine makes no outage; test_outages.py sees to the real ones.
    """

    own = {provider: platform.new_environment(directory) for provider, platform in PLATFORMS.items()}

    def settings(provider, endpoint, queue_url, **more):
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "QUEUE_URL": queue_url,
            "CREDENTIALS": senders.credentials(provider),
            "DEADLINE_MS": "15000",
        } | own[provider] | more

    return settings


@pytest.fixture(scope="session")
def deploy(directory, senders):
    """Starts deployments; none may crash or print a secret during the run."""
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
    """One standard queue for each function, so that each test sees only its own messages."""
    return {provider: queue_server.create(f"letterbox-{provider}") for provider in PROVIDERS}


@pytest.fixture(scope="session")
def letterbox_functions(deploy, settings, queue_server, queues):
    return deploy(
        "standard",
        {provider: settings(provider, queue_server.endpoint, queues[provider].url) for provider in PROVIDERS},
    )


@pytest.fixture(scope="module")
def empty_queues(queues):
    """The queues, empty at the first test of a file: other deployments use them, too."""
    for queue in queues.values():
        queue.drain()
    return queues


@pytest.fixture
def letterbox(letterbox_functions, empty_queues):
    """The functions with empty queues. A test leaves messages only where a function logged something."""
    marks = letterbox_functions.marks()
    yield letterbox_functions
    for provider in letterbox_functions.expect_sound(since=marks):
        empty_queues[provider].drain()
