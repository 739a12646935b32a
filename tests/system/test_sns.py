"""Amazon SNS: both signature versions, fetched certificates, confirmed subscriptions, and what is never fetched."""

import json
import subprocess
import time

import pytest

import messages
from metrics import read as metrics_of
from platforms.sns import (
    CONFIRM,
    HOST,
    NOTIFICATION,
    OTHERS,
    SUBSCRIPTION,
    TOPIC,
    Topic,
    with_certificate,
    with_member,
)
from servers import TARGET, HttpsServer
from test_libraries import in_node

UNSUBSCRIPTION = SUBSCRIPTION | {"Type": "UnsubscribeConfirmation"}
# Another host of SNS, for which the server has no certificate of TLS.
ELSEWHERE = "https://sns.eu-west-1.amazonaws.com"


def signed(topic, members, version="2"):
    return topic.build_request(json.dumps(topic.sign(members, version)).encode())


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("members", [NOTIFICATION, SUBSCRIPTION, UNSUBSCRIPTION], ids=lambda members: members["Type"])
def test_every_type_in_both_versions(letterbox, queues, senders, version, members):
    topic = senders.of("sns", "several")
    request = signed(topic, members | {"TopicArn": TOPIC}, version)
    topic.acknowledged(letterbox.send("sns", request, "several"), request)
    attributes = messages.read(queues["sns"].one(), "sns", request.payload, "several")
    assert attributes["type"] == f"sns.{members['Type']}"
    assert attributes["id"] == members["MessageId"]
    assert attributes["subject"] == TOPIC
    assert attributes["subscriptionarn"].startswith(topic.arn)


def test_the_message_is_signed_as_it_is_decoded(letterbox, queues, senders):
    """Every escape of the same text is the same message."""
    topic = senders.of("sns")
    body = json.dumps(topic.sign(NOTIFICATION | {"Message": "中 / é 🎋 \u2028 \\ \" \t \r\n"}))
    for text in [body, body.replace("/", "\\/"), json.dumps(json.loads(body), ensure_ascii=False, indent=1)]:
        request = topic.build_request(text.encode())
        topic.acknowledged(letterbox.send("sns", request), request)
        messages.read(queues["sns"].one(), "sns", text)


def test_another_topic_is_403(letterbox, queues, senders):
    topic = senders.of("sns")
    request = topic.build_request(TopicArn="arn:aws:sns:us-east-1:999999999999:orders")
    assert letterbox.send("sns", request).status_code == 403
    assert queues["sns"].drain() == []


def test_headers_decide_nothing(letterbox, queues, senders):
    topic = senders.of("sns")
    request = topic.build_request().with_headers(
        x_amz_sns_message_type="SubscriptionConfirmation",
        x_amz_sns_topic_arn="arn:aws:sns:us-east-1:999999999999:orders",
        x_amz_sns_message_id="other",
        x_amz_sns_subscription_arn=None,
    )
    topic.acknowledged(letterbox.send("sns", request), request)
    assert messages.read(queues["sns"].one(), "sns", request.payload)["type"] == "sns.Notification"


def test_the_program_signs_what_the_validator_accepts(tmp_path):
    """`letterbox sign` against npm's sns-validator. It leaves the token of an UnsubscribeConfirmation out."""
    demo = json.loads((TARGET.parent / "events/sns/credentials.json").read_text())
    [certificate] = demo["default"]["certificates"].values()
    bodies = []
    for sample in ["notification", "plain_text", "subscription"]:
        command = [TARGET / "debug/letterbox", "sign", "sns", sample, "--as", "event"]
        event = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
        bodies.append(event["body"])
    bodies.append(bodies[0].replace("Order paid", "Order lost"))
    requests = [{"library": "sns-validator", "secret": certificate, "body": body} for body in bodies]
    assert in_node(requests) == [True, True, True, False]


# --- fetched certificates ----------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path):
    server = HttpsServer(tmp_path, HOST.removeprefix("https://"), ELSEWHERE.removeprefix("https://"))
    yield server
    server.stop()


@pytest.fixture
def function(deploy, settings, queue_server, queues, server, request):
    """Starts the function with sources of its own, and the server as its only way out."""
    queues["sns"].drain()

    def function(**sources):
        environment = settings("sns", queue_server.endpoint, queues["sns"].url, **server.environment)
        entries = {source: topic.credentials for source, topic in sources.items()}
        environment |= {"CREDENTIALS": json.dumps(entries), "DEADLINE_MS": "6000"}
        return deploy(f"sns-{request.node.name}".replace("/", "-")[:60], {"sns": environment})

    return function


def test_a_certificate_is_fetched_once(function, server, queues):
    topic = Topic.new(pinned=False)
    server.answers[topic.url] = server.respond(topic.certificate)
    deployment = function(default=topic)
    for _ in range(5):
        request = topic.build_request()
        topic.acknowledged(deployment.send("sns", request), request)
    assert len(queues["sns"].drain()) == 5
    assert server.requests == [f"GET {topic.url}"]
    # The signature still counts.
    changed = with_member(topic, "Message", lambda value: value + "!")
    assert deployment.send("sns", changed).status_code == 401
    assert server.requests == [f"GET {topic.url}"]


def test_a_pinned_certificate_is_not_fetched(function, server, queues):
    topic = Topic.new()
    deployment = function(default=topic)
    topic.acknowledged(deployment.send("sns", topic.build_request()), None)
    assert len(queues["sns"].drain()) == 1
    assert server.connects == []


def test_nothing_is_fetched_from_elsewhere_or_for_another_topic(function, server, queues):
    topic = Topic.new(pinned=False)
    deployment = function(default=topic)
    for host in OTHERS:
        url = f"{host}/SimpleNotificationService-0a.pem"
        assert deployment.send("sns", with_certificate(topic, url)).status_code == 401, host
    for path in ["/", "/../x.pem", "/SimpleNotificationService-0a.pem?x", "/SimpleNotificationService-%2e%2e.pem"]:
        assert deployment.send("sns", with_certificate(topic, HOST + path)).status_code == 401, path
    others = topic.build_request(TopicArn="arn:aws:sns:us-east-1:999999999999:orders")
    assert deployment.send("sns", others).status_code == 403
    assert deployment.send("sns", topic.build_request(b"{")).status_code == 400
    assert server.connects == []
    assert queues["sns"].drain() == []


def test_what_cannot_be_fetched_is_503_and_what_is_not_there_401(function, server, queues):
    deployment = None
    topics = {name: Topic.new(pinned=False) for name in ["absent", "denied", "moved", "broken", "endless", "silent"]}
    evil = "https://evil.example/SimpleNotificationService-0a.pem"
    answers = {
        "denied": server.respond("", "403 Forbidden"),
        "moved": server.respond("", "302 Found", f"Location: {evil}\r\n"),
        "broken": server.respond("", "500 Internal Server Error"),
        "endless": server.endless,
        "silent": server.silent,
    }
    for name, answer in answers.items():
        server.answers[topics[name].url] = answer
    deployment = function(default=topics["absent"], **topics)
    for name, topic in topics.items():
        for attempt in range(3):
            started = time.monotonic()
            response = deployment.send("sns", topic.build_request(), name)
            expected = 401 if name in ["absent", "denied"] else 503
            assert response.status_code == expected, (name, response.text)
            # The deadline is 6 s; the second time the failure is known.
            assert time.monotonic() - started < (5 if attempt == 0 else 1), name
    # One request each; no redirect is followed.
    assert sorted(server.requests) == sorted(f"GET {topic.url}" for topic in topics.values())
    assert set(server.connects) == {f"{HOST.removeprefix('https://')}:443"}
    assert queues["sns"].drain() == []


def test_a_server_that_proves_another_name_is_not_trusted(function, server, queues):
    topic = Topic.new(pinned=False)
    url = topic.url.replace(HOST, ELSEWHERE)
    server.answers[url] = server.respond(topic.certificate)
    deployment = function(default=topic)
    assert deployment.send("sns", with_certificate(topic, url)).status_code == 503
    assert (server.connects, server.requests) == ([f"{ELSEWHERE.removeprefix('https://')}:443"], [])
    assert queues["sns"].drain() == []


@pytest.mark.parametrize("content", ["", "<html>", "-----BEGIN CERTIFICATE-----\n", "x" * 100_000, None])
def test_what_is_no_valid_certificate_verifies_nothing(function, server, queues, content):
    topic = Topic.new(pinned=False)
    other = Topic.new()
    server.answers[topic.url] = server.respond(other.certificate if content is None else content)
    deployment = function(default=topic)
    # One that is too large counts as not fetched.
    expected = 503 if content and len(content) > 16_384 else 401
    assert deployment.send("sns", topic.build_request()).status_code == expected
    assert queues["sns"].drain() == []


def test_a_flood_of_made_up_certificates_makes_few_requests(function, server, queues):
    topic = Topic.new(pinned=False)
    server.answers[topic.url] = server.respond(topic.certificate)
    deployment = function(default=topic)
    topic.acknowledged(deployment.send("sns", topic.build_request()), None)
    for number in range(60):
        forged = with_certificate(topic, f"{HOST}/SimpleNotificationService-{number:032x}f.pem")
        assert deployment.send("sns", forged).status_code in [401, 503]
    assert len(server.requests) <= 10
    # A certificate that is known still verifies.
    topic.acknowledged(deployment.send("sns", topic.build_request()), None)
    assert len(queues["sns"].drain()) == 2


# --- subscriptions -----------------------------------------------------------------------------------------------


def confirmations(server):
    return [request for request in server.requests if "ConfirmSubscription" in request]


def line_of(deployment, request, source=None):
    function = deployment.functions["sns"]
    mark = function.mark()
    assert deployment.send("sns", request, source).status_code == 200
    return function.delivery_line(mark)


def test_a_subscription_is_confirmed_where_the_entry_says_so(function, server, queues):
    topic, silent = Topic.new(options={"confirm": True}), Topic.new()
    server.answers[f"{HOST}/"] = server.respond("<ConfirmSubscriptionResponse/>")
    deployment = function(default=topic, silent=silent)

    assert "visited" not in line_of(deployment, signed(silent, SUBSCRIPTION), "silent")
    assert "visited" not in line_of(deployment, signed(topic, UNSUBSCRIPTION))
    assert "visited" not in line_of(deployment, topic.build_request())
    assert server.connects == []
    line = line_of(deployment, signed(topic, SUBSCRIPTION))
    assert (line["visited"], line["outcome"]) == (True, "queued")
    assert confirmations(server) == [f"GET {CONFIRM}"]
    # Each is an event, with its URL.
    bodies = [json.loads(message["Body"]) for message in queues["sns"].drain()]
    assert [body["type"] for body in bodies].count("sns.SubscriptionConfirmation") == 2
    assert all(body["data"]["SubscribeURL"] == CONFIRM for body in bodies if "Notification" not in body["type"])
    # A forged one is not confirmed.
    forged = with_member(topic, "Token", lambda _: "0", **SUBSCRIPTION)
    assert deployment.send("sns", forged).status_code == 401
    assert len(confirmations(server)) == 1


@pytest.mark.parametrize(
    "url",
    [
        CONFIRM.replace(HOST, "https://evil.example"),
        CONFIRM.replace("https", "http"),
        CONFIRM.replace(TOPIC, "arn:aws:sns:us-east-1:999999999999:orders"),
        CONFIRM.replace("ConfirmSubscription", "DeleteTopic"),
        CONFIRM + "&Action=DeleteTopic",
    ],
)
def test_another_url_is_never_called(function, server, queues, url):
    topic = Topic.new(options={"confirm": True})
    deployment = function(default=topic)
    line = line_of(deployment, signed(topic, SUBSCRIPTION | {"SubscribeURL": url}))
    assert line["reason"] == "untrusted_subscribe_url"
    assert "visited" not in line
    assert len(queues["sns"].drain()) == 1
    assert server.connects == []


@pytest.mark.parametrize("failure", ["404", "302", "silent"])
def test_a_failed_confirmation_is_logged_and_fails_no_delivery(function, server, queues, failure):
    answers = {
        "404": server.not_found,
        "302": server.respond("", "302 Found", f"Location: {HOST}/?Action=ConfirmSubscription\r\n"),
        "silent": server.silent,
    }
    server.answers[f"{HOST}/"] = answers[failure]
    topic = Topic.new(options={"confirm": True})
    deployment = function(default=topic)
    line = line_of(deployment, signed(topic, SUBSCRIPTION))
    assert (line["visited"], line["outcome"], line["status"]) == (False, "queued", 200)
    assert "sns.us-east-1.amazonaws.com" in line["detail"]
    assert line["VisitFailed"] == 1
    metrics_of(line)
    assert len(confirmations(server)) == 1
    assert len(queues["sns"].drain()) == 1


def test_a_subscription_that_the_queue_has_not_is_not_confirmed(deploy, settings, queue_server, server):
    topic = Topic.new(options={"confirm": True})
    environment = settings("sns", queue_server.endpoint, f"{queue_server.endpoint}/000000000000/none", **server.environment)
    environment |= {"CREDENTIALS": json.dumps({"default": topic.credentials})}
    deployment = deploy("sns-no-queue", {"sns": environment})
    assert deployment.send("sns", signed(topic, SUBSCRIPTION)).status_code == 503
    assert server.connects == []
