"""The second stack: credentials as parameters, a generated secret, a FIFO queue, and updates of it."""

import shlex

import pytest

import messages
from platforms import github
from servers import PROVIDERS


@pytest.fixture(scope="module")
def hook(second_stack):
    """GitHub's side, with the secret that the stack generated, read with the command in the output."""
    command = shlex.split(second_stack.outputs()["GithubSecretCommand"])
    assert command[:3] == ["aws", "secretsmanager", "get-secret-value"]
    secret = command[command.index("--secret-id") + 1]
    text = second_stack.aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    # AWS omits all punctuation; the emulator does not.
    assert len(text) == 40
    return github.Hook(text)


@pytest.fixture(scope="module")
def all_senders(second_senders, hook):
    return second_senders | {"github": hook}


def expect_delivery(stack, sender, provider, *payload):
    request = sender.build_request(*payload)
    sender.acknowledged(stack.send(provider, request), request)
    message = stack.queue().one()
    return messages.read(message, provider, request.payload), message["Attributes"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_given_and_generated_credentials_verify(second, all_senders, provider):
    expect_delivery(second, all_senders[provider], provider)


def test_a_fifo_queue_gets_group_and_deduplication_ids(second, hook):
    event, attributes = expect_delivery(second, hook, "github", b'{"repository":{"full_name":"acme/gadget"}}')
    assert attributes["MessageGroupId"] == "/github/default/acme/gadget"
    assert attributes["MessageDeduplicationId"] == event["id"]
    url = second.queue().url
    queue = second.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")


def test_stacks_side_by_side_do_not_mix(letterbox, second, senders, all_senders):
    request = all_senders["payment"].build_request(b'{"event_type":"refund","transaction_id":"tx_2"}')
    assert letterbox.send("payment", request).status_code == 401
    assert second.send("payment", request).status_code == 202
    assert letterbox.queue().drain() == []
    assert len(second.queue().drain()) == 1


def test_an_update_changes_what_it_names_and_no_url(second, all_senders):
    urls = {provider: second.url(provider) for provider in PROVIDERS}
    second.deploy(OpencardEnabled="false", MemorySize="512", LogLevel="DEBUG")

    assert {provider: second.url(provider) for provider in PROVIDERS} == urls
    assert second.send("opencard", all_senders["opencard"].build_request()).status_code == 404
    assert "OpencardUrl" not in second.outputs()
    function = second.aws.client("lambda").get_function(FunctionName="second-github")["Configuration"]
    assert function["MemorySize"] == 512
    assert function["LoggingConfig"]["ApplicationLogLevel"] == "DEBUG"
    expect_delivery(second, all_senders["payment"], "payment", b'{"event_type":"refund","transaction_id":"tx_3"}')


def test_a_provider_can_be_turned_off_and_on_again(second, all_senders):
    """Its kept secret does not conflict with the new one."""
    second.deploy(PaymentEnabled="false")
    second.deploy(PaymentEnabled="true")
    expect_delivery(second, all_senders["payment"], "payment", b'{"event_type":"refund","transaction_id":"tx_5"}')
