"""`sam delete`: deletes everything, or everything except data."""

import messages
from survey import survey


def empty(client, bucket):
    """Empties the bucket, which AWS requires before it deletes one; the emulator does not."""
    for item in client.list_objects_v2(Bucket=bucket).get("Contents", []):
        client.delete_object(Bucket=bucket, Key=item["Key"])


def test_the_policy_is_also_a_tag(strict):
    """So that a deployment that changes nothing else has a change for CloudFormation."""
    attributes = strict.aws.client("sqs").list_queue_tags(QueueUrl=strict.queue().url)
    assert attributes["Tags"]["letterbox:when-deleted"] == "Delete"


def test_delete_leaves_nothing(strict, strict_senders):
    assert strict.send("payment", strict_senders["payment"].build_request()).status_code == 202
    assert survey(strict.aws) > strict.before
    for bucket in ["OversizeBucketName", "ArchiveBucketName"]:
        empty(strict.aws.client("s3"), strict.outputs()[bucket])
    strict.delete()
    assert survey(strict.aws) == strict.before


def test_by_default_queues_secrets_and_bucket_stay(second, generated_senders):
    request = generated_senders["payment"].build_request(b'{"event_type":"refund","transaction_id":"tx_4"}')
    assert second.send("payment", request).status_code == 202
    before, queue, api = survey(second.aws), second.queue(), second.resources()["HttpApi"]
    second.delete()

    after = survey(second.aws)
    kept = {"secretsmanager", "sqs", "s3"}
    assert {service for service, name in after if second.name in name} == kept
    assert not {service for service, _ in before - after} & kept
    assert ("apigatewayv2", api) in before - after
    messages.read(queue.one(), "payment", request.payload)
