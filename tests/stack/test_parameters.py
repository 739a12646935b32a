"""The second stack: generated secrets, a FIFO queue, and updates of it."""

import pytest

import messages
from servers import PROVIDERS


def expect_delivery(stack, sender, provider, *payload):
    request = sender.build_request(*payload)
    sender.acknowledged(stack.send(provider, request), request)
    message = stack.queue().one()
    return messages.read(message, provider, request.payload), message["Attributes"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_given_and_generated_credentials_verify(second, generated_senders, provider):
    expect_delivery(second, generated_senders[provider], provider)


def test_a_fifo_queue_gets_group_and_deduplication_ids(second, generated_senders):
    event, attributes = expect_delivery(second, generated_senders["github"], "github", b'{"repository":{"full_name":"acme/gadget"}}')
    assert attributes["MessageGroupId"] == "/github/default/acme/gadget"
    assert attributes["MessageDeduplicationId"] == event["id"]
    url = second.queue().url
    queue = second.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")


def test_stacks_side_by_side_do_not_mix(letterbox, second, senders, generated_senders):
    request = generated_senders["payment"].build_request(b'{"event_type":"refund","transaction_id":"tx_2"}')
    assert letterbox.send("payment", request).status_code == 401
    assert second.send("payment", request).status_code == 202
    assert letterbox.queue().drain() == []
    assert len(second.queue().drain()) == 1


def test_an_update_changes_what_it_names_and_no_url(second, generated_senders):
    urls = {provider: second.url(provider) for provider in PROVIDERS}
    second.deploy(Opencard="off", LogRetentionDays="7")

    assert {provider: second.url(provider) for provider in PROVIDERS} == urls
    assert second.send("opencard", generated_senders["opencard"].build_request()).status_code == 404
    assert "OpencardUrl" not in second.outputs()
    groups = second.aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/second-github")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [7]
    # A generated secret is the same after an update.
    expect_delivery(second, generated_senders["payment"], "payment", b'{"event_type":"refund","transaction_id":"tx_3"}')


def test_a_provider_can_be_turned_off_and_on_again(second, generated_senders):
    own = second.outputs()["DingtalkCredentialsSecret"]
    second.deploy(Dingtalk="off")
    assert "DingtalkUrl" not in second.outputs()
    second.deploy(Dingtalk=own)
    expect_delivery(second, generated_senders["dingtalk"], "dingtalk", '{"EventType":"user_leave_org","UserId":["u9"]}')
