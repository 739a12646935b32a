"""A queue that is down, hangs, is impersonated or returns: nothing is acknowledged that is not queued."""

import time

import pytest

from metrics import dimensions
from platforms import PLATFORMS, error_of
from servers import PROVIDERS, CaptiveServer, QueueServer, SilentServer, free_port

# In seconds. Longer deadlines are shortened to it, so that the tests take less time.
LONGEST_DEADLINE = 1.2
DEADLINES = {provider: min(platform.DEADLINE, LONGEST_DEADLINE) for provider, platform in PLATFORMS.items()}
# Providers whose platform must retry an event that was not queued, and those that always respond.
RETRIED = [name for name, platform in PLATFORMS.items() if platform.STATUS_UNQUEUED == 503]
ANSWERED = [name for name in PROVIDERS if name not in RETRIED]
# The additional time on a shared machine.
SLACK = 0.8


@pytest.fixture(scope="module")
def down_port():
    return free_port()


def with_short_deadlines(settings, endpoint):
    """Their own deadlines if they are short: an empty variable counts as not set."""
    return {
        provider: settings(
            provider,
            endpoint,
            f"{endpoint}/000000000000/outage-{provider}",
            DEADLINE_MS=f"{LONGEST_DEADLINE * 1000:.0f}" if platform.DEADLINE > LONGEST_DEADLINE else "",
        )
        for provider, platform in PLATFORMS.items()
    }


@pytest.fixture(scope="module")
def down(deploy, settings, down_port):
    """Functions whose queue refused connections from the start."""
    return deploy("down", with_short_deadlines(settings, f"http://127.0.0.1:{down_port}"))


@pytest.fixture(scope="module")
def silent(deploy, settings):
    """Functions whose queue accepts connections and never responds."""
    server = SilentServer()
    yield deploy("silent", with_short_deadlines(settings, server.endpoint))
    server.stop()


@pytest.fixture(scope="module")
def captive(deploy, settings):
    """Functions whose queue URL leads to a server that is not a queue and returns 200."""
    server = CaptiveServer()
    yield deploy("captive", with_short_deadlines(settings, server.endpoint))
    server.stop()


@pytest.fixture(params=["down", "silent", "captive"])
def outage(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("provider", RETRIED)
def test_nothing_is_acknowledged(outage, senders, provider):
    started = time.monotonic()
    response = outage.send(provider, senders.of(provider).build_request())
    assert time.monotonic() - started < DEADLINES[provider] + SLACK
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert error_of(provider, response)


@pytest.mark.parametrize("provider", ANSWERED)
def test_providers_that_do_not_depend_on_the_queue_respond(outage, senders, provider):
    sender = senders.of(provider)
    request = sender.build_request()
    mark = outage.functions[provider].mark()
    started = time.monotonic()
    sender.acknowledged(outage.send(provider, request), request)
    assert time.monotonic() - started < DEADLINES[provider] + SLACK
    line = outage.functions[provider].delivery_line(mark)
    assert (line["outcome"], line["level"]) == ("unqueued", "ERROR")
    assert line["id"]
    assert ["provider", "outcome"] in dimensions(line, "Deliveries")


@pytest.mark.parametrize("kind", ["check_url", "check_create_suite_url", "check_update_suite_url"])
def test_handshake_needs_no_queue(outage, senders, kind):
    app = senders.of("dingtalk")
    started = time.monotonic()
    assert app.open(outage.send("dingtalk", app.build_request(f'{{"EventType":"{kind}"}}'))) == "success"
    assert time.monotonic() - started < SLACK


@pytest.mark.parametrize("provider", PROVIDERS)
def test_refusals_need_no_queue(outage, senders, provider):
    started = time.monotonic()
    assert outage.send(provider, senders.of(provider).build_request(), "nobody").status_code == 404
    assert time.monotonic() - started < SLACK


@pytest.mark.parametrize("provider", RETRIED)
def test_log_says_that_the_queue_failed(outage, senders, provider):
    function = outage.functions[provider]
    mark = function.mark()
    outage.send(provider, senders.of(provider).build_request())
    line = function.delivery_line(mark)
    assert (line["outcome"], line["reason"], line["level"]) == ("failed", "queue_unavailable", "ERROR")
    assert (line["status"], bool(line["id"])) == (503, True)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_queue_that_does_not_exist(deploy_missing, senders, provider):
    response = deploy_missing.send(provider, senders.of(provider).build_request())
    assert response.status_code == PLATFORMS[provider].STATUS_UNQUEUED


@pytest.fixture(scope="module")
def deploy_missing(deploy, settings, queue_server):
    return deploy("missing", with_short_deadlines(settings, queue_server.endpoint))


def test_retry_is_accepted_once_the_queue_is_back(down, senders, down_port, directory):
    """The last test of this module: it ends the outage."""
    deliveries = {provider: senders.of(provider).build_request() for provider in PROVIDERS}
    for provider, request in deliveries.items():
        assert down.send(provider, request).status_code == PLATFORMS[provider].STATUS_UNQUEUED
    server = QueueServer(directory, down_port)
    try:
        for provider, request in deliveries.items():
            queue = server.create(f"outage-{provider}")
            senders.of(provider).acknowledged(down.send(provider, request), request)
# At least once: an attempt that timed out may have reached the queue.
            messages = queue.drain()
            assert messages
            for message in messages:
                assert message["MessageAttributes"]["source"]["StringValue"] == f"/{provider}/default"
    finally:
        server.stop()
    # The open connection was closed.
    for provider, request in deliveries.items():
        assert down.send(provider, request).status_code == PLATFORMS[provider].STATUS_UNQUEUED


def test_a_queue_that_hangs_does_not_delay_the_first_response(deploy, settings, senders):
    """A cold start, a handshake included, must end long before the platform's timeout (1.5 s)."""
    server = SilentServer()
    try:
        started = time.monotonic()
        settings = settings("dingtalk", server.endpoint, f"{server.endpoint}/1/q", DEADLINE_MS="1200")
        deployment = deploy("cold", {"dingtalk": settings})
        app = senders.of("dingtalk")
        assert app.open(deployment.send("dingtalk", app.build_request('{"EventType":"check_url"}'))) == "success"
        # Includes the start of the gateway.
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
        assert deployment.send("payment", service.build_request(), "nobody").status_code == 404
        before = server.connections
        started = time.monotonic()
        assert deployment.send("payment", service.build_request(), "shopify").status_code == 503
        assert 4 < time.monotonic() - started < 5
        # The first attempt timed out early enough for another one.
        assert server.connections - before >= 2
    finally:
        server.stop()
