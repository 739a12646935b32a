"""Logs: one JSON line for each delivery, with everything that an operator needs, and no secret."""

import json

import pytest

from platforms import PLATFORMS
from platforms.opencard import Key, header, with_segment
from servers import PROVIDERS

SECRET_PAYLOAD = "Pa55-in-the-payload"


def line_of(letterbox, provider, request, source=None, method="POST"):
    function = letterbox.functions[provider]
    mark = function.mark()
    letterbox.send(provider, request, source, method)
    line = function.delivery_line(mark)
    assert line["provider"] == provider
    assert line["source"] == (source or "default")
    assert 0 <= line["milliseconds"] < 5000
    return line


@pytest.mark.parametrize("provider", PROVIDERS)
def test_queued(letterbox, queues, senders, provider):
    line = line_of(letterbox, provider, senders.of(provider).build_request())
    event = json.loads(queues[provider].one()["Body"])
    assert (line["type"], line["id"]) == (event["type"], event["id"])
    assert (line["outcome"], line["level"]) == ("queued", "INFO")
    assert line["status"] == PLATFORMS[provider].STATUS


def test_handshake_is_answered(letterbox, senders):
    request = senders.of("dingtalk").build_request('{"EventType":"check_url"}')
    assert line_of(letterbox, "dingtalk", request)["outcome"] == "answered"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_position_of_the_matching_key_is_logged(letterbox, senders, provider):
    for position, sender in enumerate(senders.of(provider, "rotating")):
        assert line_of(letterbox, provider, sender.build_request(), "rotating")["key"] == position


@pytest.mark.parametrize(
    "provider, case", [(name, case) for name, platform in PLATFORMS.items() for case in platform.REFUSED]
)
def test_a_refusal_is_logged_with_the_cause_that_the_response_omits(letterbox, senders, provider, case):
    source, build, reason = PLATFORMS[provider].REFUSED[case]
    line = line_of(letterbox, provider, build(senders.of(provider, source)), source)
    assert (line["outcome"], line["reason"], line["level"]) == ("refused", reason, "WARN")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "source, method, reason", [("nobody", "POST", "unknown_source"), (None, "PUT", "method_not_allowed")]
)
def test_refused_by_its_route(letterbox, senders, provider, source, method, reason):
    line = line_of(letterbox, provider, senders.of(provider).build_request(), source, method)
    assert (line["outcome"], line["reason"], line["level"]) == ("refused", reason, "WARN")


@pytest.mark.parametrize(
    "build",
    [
        lambda key: key.build_request(),
        lambda key: key.build_request('{"srcid":"none","intent":{}}'),
        lambda key: key.build_request("no query"),
        lambda key: key.build_request(kid="9"),
        lambda key: Key.new(key.kid).build_request(),
        lambda key: key.build_request(zip="DEF"),
        lambda key: with_segment(key.build_request(), 2, lambda old: old[:3]),
    ],
    ids=["found", "unknown srcid", "unreadable", "unknown kid", "another key", "zip", "short IV"],
)
def test_opencards_rid_is_in_every_line(letterbox, senders, build):
    request = build(senders.of("opencard"))
    assert line_of(letterbox, "opencard", request)["rid"] == header(request.body)["rid"]


def test_opencards_own_status_is_the_reason(letterbox, senders):
    key = senders.of("opencard")
    assert line_of(letterbox, "opencard", key.build_request())["reason"] == "found"
    assert line_of(letterbox, "opencard", key.build_request('{"srcid":"123","intent":{}}'))["reason"] == "no_result"
    assert line_of(letterbox, "opencard", key.build_request("{}"))["reason"] == "bad_parameters"


def test_githubs_delivery_id(letterbox, senders):
    request = senders.of("github").build_request()
    assert line_of(letterbox, "github", request)["deliveryid"] == request.headers["X-GitHub-Delivery"]


def test_a_sender_cannot_add_log_lines(letterbox, senders):
    forged = '%0A{"outcome":"queued"}%0A'
    function = letterbox.functions["payment"]
    mark = function.mark()
    letterbox.send("payment", senders.of("payment").build_request(), forged)
    assert function.delivery_line(mark)["outcome"] == "refused"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_secret_no_signature_no_payload(letterbox, senders, provider):
    function = letterbox.functions[provider]
    sender = senders.of(provider)
    platform = PLATFORMS[provider]
    payload = platform.make_payload(x=SECRET_PAYLOAD, intent={"a": SECRET_PAYLOAD})
    bad = json.dumps({name: [SECRET_PAYLOAD] for name in ["EventType", "event_type", "srcid"]}).encode()
    cut = f'{{"{SECRET_PAYLOAD}":'.encode()
    signatures = []
    for content in [payload, bad, cut]:
        request = sender.build_request(content)
        signatures += platform.signatures(request)
        for sent in [request, request.but(body=request.body[:-1] + b"?")]:
            mark = function.mark()
            assert SECRET_PAYLOAD not in letterbox.send(provider, sent).text
            function.delivery_line(mark)
    log = function.text()
    assert SECRET_PAYLOAD not in log
    assert all(signatures)
    for signature in signatures:
        assert signature not in log


@pytest.fixture(scope="module")
def loud(deploy, settings, queue_server, queues):
    """The functions with the most verbose log level."""
    return deploy(
        "loud",
        {
            provider: settings(
                provider, queue_server.endpoint, queues[provider].url, AWS_LAMBDA_LOG_LEVEL="DEBUG"
            )
            for provider in PROVIDERS
        },
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_most_verbose_log_contains_no_secrets(loud, queues, senders, provider):
    request = senders.of(provider).build_request(PLATFORMS[provider].make_payload(x=SECRET_PAYLOAD))
    assert loud.send(provider, request).ok
    queues[provider].drain()
    log = loud.functions[provider].text()
    assert '"level":"DEBUG"' in log
    assert SECRET_PAYLOAD not in log
    for secret in senders.of(provider).secrets:
        assert secret not in log
