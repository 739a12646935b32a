"""Metrics: what CloudWatch reads from a delivery's line."""

import time

import pytest

import metrics
from platforms import PLATFORMS
from servers import PROVIDERS


def line_of(letterbox, provider, request, source=None, method="POST"):
    mark = letterbox.functions[provider].mark()
    letterbox.send(provider, request, source, method)
    return letterbox.functions[provider].delivery_line(mark)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_queued_delivery(letterbox, senders, provider):
    line = line_of(letterbox, provider, senders.of(provider).build_request())
    got = metrics.read(line)
    reason = {"reason": PLATFORMS[provider].REASON} if PLATFORMS[provider].REASON else {}
    assert got["Deliveries"] == (
        1,
        "Count",
        [
            {"provider": provider, "outcome": "queued"},
            {"provider": provider, "source": "default", "outcome": "queued"} | reason,
        ],
    )
    value, unit, sets = got["QueueLatency"]
    assert 0 < value <= line["milliseconds"]
    assert (unit, sets) == ("Milliseconds", [{"provider": provider}])
    value, unit, sets = got["AnswerLatency"]
    # The emulated gateway reports seconds, not milliseconds, so this is the function's own measurement.
    assert value == line["milliseconds"]
    assert (unit, sets) == ("Milliseconds", [{"provider": provider}])
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60
    assert "KeyPosition" not in got


def test_a_refused_delivery_has_its_reason(letterbox, senders):
    request = senders.of("github").build_request().with_headers(X_Hub_Signature_256=None)
    got = metrics.read(line_of(letterbox, "github", request))
    refused = {"provider": "github", "outcome": "refused"}
    assert got["Deliveries"][2] == [refused, refused | {"source": "default", "reason": "missing_signature"}]
    # For the alarm, which is one for all functions: without a dimension.
    assert got["Refused"] == (1, "Count", [{}])
    assert "QueueLatency" not in got


def test_a_handshake_has_no_queue_metrics(letterbox, senders):
    got = metrics.read(line_of(letterbox, "dingtalk", senders.of("dingtalk").build_request('{"EventType":"check_url"}')))
    assert got["Deliveries"][2][0] == {"provider": "dingtalk", "outcome": "answered"}
    assert "QueueLatency" not in got


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_unknown_sources_are_not_dimensions(letterbox, senders, method):
    line = line_of(letterbox, "payment", senders.of("payment").build_request(), "made-up", method)
    assert line["source"] == "made-up"
    for metric, (_, _, sets) in metrics.read(line).items():
        assert all("source" not in dimensions for dimensions in sets), metric


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_key_position_is_a_metric_during_a_rotation(letterbox, senders, provider):
    for position, sender in enumerate(senders.of(provider, "rotating")):
        got = metrics.read(line_of(letterbox, provider, sender.build_request(), "rotating"))
        assert got["KeyPosition"] == (position, "None", [{"provider": provider, "source": "rotating"}])


def test_only_the_first_delivery_is_a_cold_start(deploy, settings, senders, queue_server, queues):
    settings = settings("github", queue_server.endpoint, queues["github"].url, METRICS_NAMESPACE="Letterbox/hooks")
    deployment = deploy("metrics", {"github": settings})
    # The first was the test's own request at start.
    [first, *_] = [line for line in deployment.functions["github"].lines() if "outcome" in line]
    assert metrics.read(first)["ColdStart"] == (1, "Count", [{"provider": "github"}])
    assert {each["Namespace"] for each in first["_aws"]["CloudWatchMetrics"]} == {"Letterbox/hooks"}
    second = line_of(deployment, "github", senders.of("github").build_request())
    assert "ColdStart" not in metrics.read(second)


def test_answer_latency_counts_from_the_gateway(letterbox):
    """The platform's wait includes a cold start, which the function itself cannot measure."""
    event = {
        "rawPath": "/github",
        "headers": {},
        "requestContext": {"http": {"method": "POST"}, "timeEpoch": int(time.time() * 1000) - 5000},
    }
    mark = letterbox.functions["github"].mark()
    assert letterbox.invoke_with("github", event)["statusCode"] == 401
    line = letterbox.functions["github"].delivery_line(mark)
    assert 5000 <= metrics.read(line)["AnswerLatency"][0] < 10000
    assert line["milliseconds"] < 1000
