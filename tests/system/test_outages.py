"""A queue that is down, silent or back again: nothing is acknowledged that no queue has."""

import time

import pytest

from metrics import dimensions
from servers import PROVIDERS, QueueServer, SilentServer, free_port

# What the contract promises, and what a shared machine may add to it.
DEADLINES = {"dingtalk": 1.2, "opencard": 0.8, "github": 1.0, "payment": 1.0}
SLACK = 0.8


@pytest.fixture(scope="module")
def down_port():
    return free_port()


def with_short_deadlines(settings, endpoint):
    """The functions' own deadlines where they are short; the longer ones are set, so that nobody waits them out."""
    return {
        provider: settings(
            provider,
            endpoint,
            f"{endpoint}/000000000000/outage-{provider}",
            DEADLINE_MS="1000" if provider in ["github", "payment"] else "",
        )
        for provider in PROVIDERS
    }


@pytest.fixture(scope="module")
def down(deploy, settings, down_port):
    """Functions whose queue refuses connections, since before they started."""
    return deploy("down", with_short_deadlines(settings, f"http://127.0.0.1:{down_port}"))


@pytest.fixture(scope="module")
def silent(deploy, settings):
    """Functions whose queue takes connections and never answers."""
    server = SilentServer()
    yield deploy("silent", with_short_deadlines(settings, server.endpoint))
    server.stop()


@pytest.fixture(params=["down", "silent"])
def outage(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("provider", ["dingtalk", "github", "payment"])
def test_nothing_is_acknowledged(outage, senders, provider):
    started = time.monotonic()
    response = outage.send(provider, senders.of(provider).letter())
    assert time.monotonic() - started < DEADLINES[provider] + SLACK
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert set(response.json()) == {"error"}


def test_opencard_answers_all_the_same(outage, senders):
    key = senders.of("opencard")
    letter = key.letter()
    mark = outage.functions["opencard"].mark()
    started = time.monotonic()
    key.acknowledged(outage.send("opencard", letter), letter)
    assert time.monotonic() - started < DEADLINES["opencard"] + SLACK
    line = outage.functions["opencard"].delivery_line(mark)
    assert (line["outcome"], line["level"]) == ("unqueued", "ERROR")
    assert line["id"]
    assert ["provider", "outcome"] in dimensions(line, "Deliveries")


@pytest.mark.parametrize("kind", ["check_url", "check_create_suite_url", "check_update_suite_url"])
def test_handshake_needs_no_queue(outage, senders, kind):
    app = senders.of("dingtalk")
    started = time.monotonic()
    assert app.open(outage.send("dingtalk", app.letter(f'{{"EventType":"{kind}"}}'))) == "success"
    assert time.monotonic() - started < SLACK


@pytest.mark.parametrize("provider", PROVIDERS)
def test_refusals_need_no_queue(outage, senders, provider):
    started = time.monotonic()
    assert outage.send(provider, senders.of(provider).letter(), "nobody").status_code == 404
    assert time.monotonic() - started < SLACK


@pytest.mark.parametrize("provider", ["dingtalk", "github", "payment"])
def test_log_says_that_the_queue_failed(outage, senders, provider):
    function = outage.functions[provider]
    mark = function.mark()
    outage.send(provider, senders.of(provider).letter())
    line = function.delivery_line(mark)
    assert (line["outcome"], line["reason"], line["level"]) == ("failed", "queue_unavailable", "ERROR")
    assert (line["status"], bool(line["id"])) == (503, True)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_queue_that_does_not_exist(deploy_missing, senders, provider):
    response = deploy_missing.send(provider, senders.of(provider).letter())
    assert response.status_code == (200 if provider == "opencard" else 503)


@pytest.fixture(scope="module")
def deploy_missing(deploy, settings, queue_server):
    return deploy("missing", with_short_deadlines(settings, queue_server.endpoint))


def test_retry_is_accepted_once_the_queue_is_back(down, senders, down_port, directory):
    """The last test of this module: it ends the outage."""
    letters = {provider: senders.of(provider).letter() for provider in PROVIDERS}
    for provider, letter in letters.items():
        assert down.send(provider, letter).status_code == (200 if provider == "opencard" else 503)
    server = QueueServer(directory, down_port)
    try:
        for provider, letter in letters.items():
            queue = server.create(f"outage-{provider}")
            senders.of(provider).acknowledged(down.send(provider, letter), letter)
# At least once: an attempt that the SDK gave up may have come through.
            messages = queue.drain()
            assert messages
            for message in messages:
                assert message["MessageAttributes"]["source"]["StringValue"] == f"/{provider}/default"
    finally:
        server.stop()
    # The connection that was open is gone now.
    for provider, letter in letters.items():
        assert down.send(provider, letter).status_code == (200 if provider == "opencard" else 503)


def test_a_queue_that_hangs_does_not_hold_up_the_first_answer(deploy, settings, senders):
    """A cold start, a handshake included, must be over long before the platform gives up (1.5 s)."""
    server = SilentServer()
    try:
        started = time.monotonic()
        settings = settings("dingtalk", server.endpoint, f"{server.endpoint}/1/q", DEADLINE_MS="1200")
        deployment = deploy("cold", {"dingtalk": settings})
        app = senders.of("dingtalk")
        assert app.open(deployment.send("dingtalk", app.letter('{"EventType":"check_url"}'))) == "success"
        # The gateway's own start is in it too.
        assert time.monotonic() - started < 5
    finally:
        server.stop()


def test_response_comes_before_the_senders_timeout(deploy, settings, senders):
    """Shopify waits 5 s, which is the function's own deadline: its entries have an earlier one."""
    server = SilentServer()
    try:
        environment = settings("payment", server.endpoint, f"{server.endpoint}/1/q", DEADLINE_MS="")
        deployment = deploy("timeout", {"payment": environment})
        service = senders.of("payment", "shopify")
        assert deployment.send("payment", service.letter(), "nobody").status_code == 404
        before = server.connections
        started = time.monotonic()
        assert deployment.send("payment", service.letter(), "shopify").status_code == 503
        assert 4 < time.monotonic() - started < 5
        # The first attempt was given up early enough for another one.
        assert server.connections - before >= 2
    finally:
        server.stop()
