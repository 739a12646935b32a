"""Handles Letterbox's events: each once, those of a FIFO queue in order, one failure without the others."""

import json
import logging
import os

import boto3
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

logger = logging.getLogger()
s3 = boto3.client("s3")
store = DynamoDBPersistenceLayer(table_name=os.environ["HANDLED_TABLE"])
once = IdempotencyConfig(
    event_key_jmespath="[source, id]",
    hash_function="sha256",
    # Later than the last retry of a platform, and than a redrive from the dead-letter queue.
    expires_after_seconds=int(os.environ["REMEMBERED_DAYS"]) * 24 * 60 * 60,
)


# Without the prefix, the key would contain the name of the function, and another name would make every event new.
@idempotent_function(data_keyword_argument="event", persistence_store=store, config=once, key_prefix="letterbox")
def handle(*, event):
    """Your work. If it raises, the event returns to the queue. What it returns is stored in the table: return nothing."""
    print(json.dumps({"handled": {name: event.get(name) for name in ("source", "id", "type", "subject")}}))


def event_of(record):
    """The CloudEvents object of a queue message; that of a large event is in the bucket."""
    body = record["body"]
    if "ExtendedPayloadSize" in record["messageAttributes"]:
        _, pointer = json.loads(body)
        body = s3.get_object(Bucket=pointer["s3BucketName"], Key=pointer["s3Key"])["Body"].read()
    event = json.loads(body)
    if not event["source"] or not event["id"]:
        raise ValueError("source, id: expected values")
    return event


def processor_of(batch):
    """The processor for the queue's type. Both log each failure; with a FIFO queue, the failed event's group stops."""
    if batch["Records"][0]["eventSourceARN"].endswith(".fifo"):
        processor = SqsFifoPartialProcessor(skip_group_on_error=True, logger=logger)
    else:
        processor = BatchProcessor(event_type=EventType.SQS, logger=logger)
    # If all events of a batch fail, the function still succeeds: Lambda slows down polling when a function fails.
    processor.raise_on_entire_batch_failure = False
    return processor


def handler(batch, context):
    # After a timeout, the event is in progress only until the time at which the function was to end.
    once.register_lambda_context(context)
    return process_partial_response(
        event=batch,
        record_handler=lambda record: handle(event=event_of(record.raw_event)),
        processor=processor_of(batch),
        context=context,
    )
