"""Least privilege, on a local AWS that enforces IAM: the roles allow enough, and no action more."""

import json
from contextlib import contextmanager

import pytest

import messages
from servers import PROVIDERS


@contextmanager
def without(stack, provider, action):
    """The function's role without one action."""
    iam, role = stack.aws.client("iam"), stack.resources()[f"{provider.capitalize()}Role"]
    attached = {
        policy["PolicyArn"]: document_of(iam, policy["PolicyArn"])
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        if action in json.dumps(document_of(iam, policy["PolicyArn"]))
    }
    inline = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    assert attached or action in json.dumps(inline), f"the role of {provider} does not have {action}"
    # The rest of what a managed policy allows stands in for it.
    stand_ins = {f"rest-{number}": document for number, document in enumerate(attached.values())}
    for arn in attached:
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    for name, document in (inline | stand_ins).items():
        rest = [statement for statement in document["Statement"] if action not in statement["Action"]]
        put(iam, role, name, document | {"Statement": rest})
    try:
        yield
    finally:
        for name in stand_ins:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
        for arn in attached:
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        for name, document in inline.items():
            put(iam, role, name, document)


def document_of(iam, arn):
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def put(iam, role, name, document):
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def restart(stack, provider):
    """Ends the function's environments, as a change of its configuration does."""
    name, client = stack.resources()[f"{provider.capitalize()}Function"], stack.aws.client("lambda")
    memory = client.get_function(FunctionName=name)["Configuration"]["MemorySize"]
    client.update_function_configuration(FunctionName=name, MemorySize=memory + 1)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_role_allows_what_its_function_does(strict, strict_senders, provider):
    sender = strict_senders[provider]
    request = sender.build_request()
    sender.acknowledged(strict.send(provider, request), request)
    messages.read(strict.queue().one(), provider, request.payload)


def test_no_call_at_the_start_is_denied(strict):
    """The connection to the queue is opened by a call that the role allows: accounts alarm on denied ones."""
    document = document_of(strict.aws.client("iam"), strict.resources()["SendPolicy"])
    [queue] = [statement for statement in document["Statement"] if statement["Sid"] == "Queue"]
    assert queue["Action"] == ["sqs:SendMessage", "sqs:GetQueueAttributes"]
    assert queue["Resource"] == strict.outputs()["QueueArn"]


def test_a_role_allows_the_bucket(strict, strict_senders):
    request = strict_senders["github"].build_request(json.dumps({"text": "x" * 1_500_000}).encode())
    assert strict.send("github", request).status_code == 202
    assert "PayloadS3Pointer" in strict.queue().one()["Body"]


def test_without_the_bucket_the_response_is_503(strict, strict_senders):
    request = strict_senders["github"].build_request(json.dumps({"text": "x" * 1_500_000}).encode())
    with without(strict, "github", "s3:PutObject"):
        assert strict.send("github", request).status_code == 503
    assert strict.queue().drain() == []
    assert strict.send("github", request).status_code == 202
    assert len(strict.queue().drain()) == 1


def test_without_the_queue_the_response_is_503(strict, strict_senders):
    request = strict_senders["github"].build_request()
    with without(strict, "github", "sqs:SendMessage"):
        answer = strict.send("github", request)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        # Only its own permission is removed.
        assert strict.send("payment", strict_senders["payment"].build_request()).status_code == 202
    assert len(strict.queue().drain()) == 1
    assert strict.send("github", request).status_code == 202


@pytest.mark.parametrize(
    "provider, action", [("github", "secretsmanager:GetSecretValue"), ("opencard", "s3:GetObject")]
)
def test_without_access_to_its_secret_or_cards_the_function_does_not_start(strict, strict_senders, provider, action):
    request = strict_senders[provider].build_request()
    with without(strict, provider, action):
        restart(strict, provider)
        assert strict.send(provider, request).status_code >= 500
    assert strict.queue().drain() == []
    restart(strict, provider)
    assert strict.send(provider, request).ok
