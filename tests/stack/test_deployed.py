"""Deliveries through the deployed stack: signed request, API Gateway, function, queue."""

import json

import pytest
import requests

import messages
from platforms import PLATFORMS
from servers import PROVIDERS


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("source", [None, "default"])
def test_a_delivery_is_answered_and_queued(letterbox, senders, provider, source):
    sender = senders[provider]
    request = sender.build_request()
    sender.acknowledged(letterbox.send(provider, request, source), request)
    messages.read(letterbox.queue().one(), provider, request.payload)


def test_the_cards_are_those_of_the_bucket(letterbox, senders):
    request = senders["opencard"].build_request()
    answer = senders["opencard"].open(letterbox.send("opencard", request), request)
    assert answer["data"] == {"from": "the bucket"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refused_delivery_is_not_queued(letterbox, senders, second_senders, provider):
    own, other = senders[provider], second_senders[provider]
    unauthorized = next(iter(PLATFORMS[provider].UNAUTHORIZED.values()))
    # Where the sender is the same in every run, there is no other one.
    for request in [unauthorized(own), *([other.build_request()] if other is not own else [])]:
        assert letterbox.send(provider, request).status_code == 401
    assert letterbox.send(provider, senders[provider].build_request(), "nobody").status_code == 404
    assert letterbox.queue().drain() == []


def test_only_the_routes_are_there(letterbox):
    # The function answers what is no delivery: a person in a browser reads what lives here.
    response = requests.get(letterbox.url("github"), timeout=20)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert "receives webhooks for Letterbox" in response.text
    assert requests.post(letterbox.url("github") + "/a/b", timeout=20).status_code == 404
    assert requests.post(letterbox.url("other"), timeout=20).status_code == 404


def test_every_output_is_there(letterbox):
    outputs = letterbox.outputs()
    assert all(outputs.values()), outputs
    providers = [name.capitalize() for name in PROVIDERS]
    promised = {f"{name}Url" for name in providers} | {f"{name}CredentialsSecret" for name in providers}
    promised |= {"QueueUrl", "QueueArn", "DeadLetterQueueUrl", "DeadLetterQueueArn", "OversizeBucketName", "ArchiveBucketName"}
    promised |= {"DashboardLink", "LogsLink", "QueueLink"}
    assert promised <= set(outputs)
    for provider in PROVIDERS:
        assert outputs[f"{provider.capitalize()}Url"].endswith(f"/{provider}")


def test_a_delivery_is_logged_in_the_functions_own_group(letterbox, senders):
    request = senders["github"].build_request()
    assert letterbox.send("github", request).status_code == 202
    logs = letterbox.aws.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{letterbox.name}-github")["events"]
    lines = [json.loads(event["message"]) for event in events if event["message"].startswith("{")]
    delivery = request.headers["X-GitHub-Delivery"]
    assert [line["outcome"] for line in lines if line.get("deliveryid") == delivery] == ["queued"]


def test_the_queues_name_ends_in_the_unique_part_of_the_stacks_id(letterbox):
    """AWS's is a UUID of version 1, whose last group is the machine that made it; the emulator's is random."""
    [stack] = letterbox.aws.client("cloudformation").describe_stacks(StackName=letterbox.name)["Stacks"]
    time_low, _, _, clock_sequence, _ = stack["StackId"].rsplit("/")[-1].split("-")
    assert letterbox.outputs()["QueueUrl"].endswith(f"/letterbox-{time_low}{clock_sequence}")


def test_every_alarm_reports_both_ways_to_the_topic(letterbox):
    alarms = letterbox.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=letterbox.name)["MetricAlarms"]
    topic = letterbox.outputs()["AlarmTopicArn"]
    # One more, on slow responses, is one that the emulator does not know.
    assert len(alarms) == 10
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [topic] for alarm in alarms)
    assert "NoAlarmIsRead" not in letterbox.outputs()


def test_alarms_go_to_an_existing_topic(strict_stack):
    aws = strict_stack.aws
    [topic] = [topic["TopicArn"] for topic in aws.client("sns").list_topics()["Topics"]]
    assert topic.endswith(":theirs")
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=strict_stack.name)["MetricAlarms"]
    # Without the one of the pipe.
    assert len(alarms) == 9
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [topic] for alarm in alarms)
    assert strict_stack.outputs()["AlarmTopicArn"] == topic


def test_what_the_gateway_refuses_is_counted(letterbox):
    filters = letterbox.aws.client("logs").describe_metric_filters(logGroupName="/aws/vendedlogs/letterbox-api")
    [transformation] = filters["metricFilters"][0]["metricTransformations"]
    assert (transformation["metricNamespace"], transformation["metricName"]) == ("Letterbox/letterbox", "GatewayRefused")
