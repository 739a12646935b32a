"""Replays: only the invoker of a function can mark one, and it is judged as of its receipt."""

import json
import time
from datetime import datetime, timezone

import pytest

import messages
import metrics
from platforms import PLATFORMS
from servers import PROVIDERS
from test_gateway import event

HOUR = 3600


def rfc3339(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def marker(seconds):
    return {"letterbox": {"receivedtime": rfc3339(seconds)}}


# Deliveries of some time ago, from platforms that sign the time: source, and a function of sender and time.
OLD = {
    "dingtalk": ("fresh", lambda app, at: app.build_request(timestamp=str(int(at * 1000)))),
    "wechatpay": ("default", lambda merchant, at: merchant.build_request(now=at)),
    "payment": ("stripe", lambda service, at: service.build_request(now=at)),
}


def invoke(letterbox, provider, sent):
    """The function's response, and its log line."""
    function = letterbox.functions[provider]
    mark = function.mark()
    answer = letterbox.invoke_with(provider, sent)
    return answer, function.delivery_line(mark)


@pytest.mark.parametrize("provider", OLD)
def test_an_old_delivery_is_accepted_with_the_marker_alone(letterbox, queues, senders, provider):
    source, build = OLD[provider]
    then = time.time() - HOUR
    sent = event(f"/{provider}/{source}", build(senders.of(provider, source), then), encoded=True)

    answer, line = invoke(letterbox, provider, sent)
    assert answer["statusCode"] == 401 and "letterbox" not in answer
    assert line["reason"] == "timestamp_out_of_range" and "replayed" not in line
    assert queues[provider].drain() == []

    answer, line = invoke(letterbox, provider, sent | marker(then))
    message = json.loads(queues[provider].one()["Body"])
    assert answer["statusCode"] == PLATFORMS[provider].STATUS
    assert answer["letterbox"] == {
        "outcome": "queued",
        "reason": None,
        "detail": None,
        "id": message["id"],
        "type": message["type"],
    }
    assert message["receivedtime"] == rfc3339(then)
    replayed = datetime.fromisoformat(message["replayedtime"]).timestamp()
    assert abs(time.time() - replayed) < 60
    assert (line["replayed"], line["outcome"]) == (True, "queued")

    # At another time of receipt it would have been refused.
    answer, line = invoke(letterbox, provider, sent | marker(then - HOUR))
    assert answer["statusCode"] == 401
    assert answer["letterbox"] | {"detail": None} == {
        "outcome": "refused",
        "reason": "timestamp_out_of_range",
        "detail": None,
        "id": None,
        "type": None,
    }
    assert (line["replayed"], line["outcome"]) == (True, "refused")
    assert queues[provider].drain() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_replay_is_the_same_event_and_no_delivery(letterbox, queues, senders, provider):
    sent = event(f"/{provider}", senders.of(provider).build_request(), encoded=True)
    first, _ = invoke(letterbox, provider, sent)
    original = json.loads(queues[provider].one()["Body"])
    answer, line = invoke(letterbox, provider, sent | marker(time.time() - 1))
    replayed = json.loads(queues[provider].one()["Body"])
    assert answer["statusCode"] == first["statusCode"] == PLATFORMS[provider].STATUS
    assert answer["letterbox"]["outcome"] == "queued"
    changed = {"receivedtime", "replayedtime"} | ({"time"} if original["time"] == original["receivedtime"] else set())
    kept = [name for name in replayed if name not in changed]
    assert [replayed[name] for name in kept] == [original[name] for name in kept]
    assert set(replayed) - set(original) == {"replayedtime"}
    counted = metrics.read(line)
    assert counted["Replayed"][0] == 1
    assert metrics.dimensions(line, "Replayed") == metrics_of_a_delivery(line)
    assert not {"Deliveries", "AnswerLatency", "Refused", "Unqueued", "Slow"} & set(counted)


def metrics_of_a_delivery(line):
    names = [["provider", "outcome"], ["provider", "source", "outcome"]]
    return [each + (["reason"] if "reason" in line and "source" in each else []) for each in names]


@pytest.mark.parametrize(
    "marked",
    [
        None,
        True,
        "2026-11-27T03:20:00.123Z",
        {},
        {"receivedtime": None},
        {"receivedtime": 1795749600},
        {"receivedtime": "1795749600"},
        {"receivedtime": "yesterday"},
        {"receivedtime": "2026-11-27"},
        {"receivedtime": "9999-12-31T23:59:59Z"},
    ],
)
def test_an_invalid_marker_is_an_error_of_the_invoker(letterbox, queues, senders, marked):
    sent = event("/github", senders.of("github").build_request(), encoded=True) | {"letterbox": marked}
    answer, line = invoke(letterbox, "github", sent)
    assert answer["statusCode"] == 400
    assert (answer["letterbox"]["outcome"], answer["letterbox"]["reason"]) == ("refused", "malformed_field")
    assert answer["letterbox"]["detail"].startswith("letterbox.receivedtime: expected")
    assert line["replayed"] is True and "Replayed" in metrics.read(line)
    assert queues["github"].drain() == []


@pytest.mark.parametrize("provider", OLD)
def test_no_sender_can_set_the_marker(letterbox, queues, senders, provider):
    """Over HTTP, through a gateway: whatever a sender writes stands inside of what the gateway builds."""
    source, build = OLD[provider]
    then = time.time() - HOUR
    forged = json.dumps(marker(then)["letterbox"])
    for at, status in [(then, 401), (time.time(), PLATFORMS[provider].STATUS)]:
        request = build(senders.of(provider, source), at)
        headers = {
            "letterbox": forged,
            "x-letterbox": forged,
            "receivedtime": rfc3339(then),
            "replayedtime": rfc3339(then),
            "cookie": f"letterbox={forged}",
            "user-agent": f'","letterbox":{forged},"x":"',
        }
        query = "&".join(filter(None, [request.query, "letterbox=%7B%7D&receivedtime=2026-11-27T03:20:00Z"]))
        request = request.but(headers=request.headers | headers, query=query)
        function = letterbox.functions[provider]
        mark = function.mark()
        response = letterbox.send(provider, request, source)
        line = function.delivery_line(mark)
        assert (response.status_code, "replayed" in line) == (status, False)
        assert "letterbox" not in response.text
        for message in queues[provider].drain():
            assert "replayedtime" not in json.loads(message["Body"])


def test_a_body_cannot_set_the_marker(letterbox, queues, senders):
    payload = json.dumps({"letterbox": {"receivedtime": rfc3339(0)}, "replayedtime": rfc3339(0)}).encode()
    request = senders.of("github").build_request(payload)
    assert letterbox.send("github", request).status_code == 202
    attributes = messages.read(queues["github"].one(), "github", payload)
    assert "replayedtime" not in attributes
