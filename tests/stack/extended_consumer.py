"""A consumer with AWS's extended client: prints the messages of the queue, and leaves them there.

In a process of its own, since the library replaces boto3's session when it is imported.
"""

import json
import sys

import boto3
import sqs_extended_client  # noqa: F401

answer = boto3.client("sqs").receive_message(
    QueueUrl=sys.argv[1], MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
)
print(json.dumps(answer.get("Messages", [])))
