// Handles Letterbox's events: each once, those of a FIFO queue in order, one failure without the others.

import { BatchProcessor, EventType, processPartialResponse, SqsFifoPartialProcessorAsync } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';

const s3 = new S3Client();

const once = new IdempotencyConfig({
  eventKeyJmesPath: '[source, id]',
  hashFunction: 'sha256',
  // Later than the last retry of a platform, and than a redrive from the dead-letter queue.
  expiresAfterSeconds: Number(process.env.REMEMBERED_DAYS) * 24 * 60 * 60,
});

// Your work. If it throws, the event returns to the queue. What it returns is stored in the table: return nothing.
const handle = makeIdempotent(
  async ({ source, id, type, subject }) => {
    console.log(JSON.stringify({ handled: { source, id, type, subject } }));
  },
  {
    persistenceStore: new DynamoDBPersistenceLayer({ tableName: process.env.HANDLED_TABLE }),
    config: once,
    // Without it, the key would contain the name of the function, and this one has none.
    keyPrefix: 'letterbox',
  },
);

// The CloudEvents object of a queue message; that of a large event is in the bucket.
const eventOf = async ({ body, messageAttributes }) => {
  let text = body;
  if (messageAttributes.ExtendedPayloadSize) {
    const [, pointer] = JSON.parse(body);
    const object = await s3.send(new GetObjectCommand({ Bucket: pointer.s3BucketName, Key: pointer.s3Key }));
    text = await object.Body.transformToString();
  }
  const event = JSON.parse(text);
  if (!event.source || !event.id) throw new Error('source, id: expected values');
  return event;
};

const handleRecord = async (record) => {
  try {
    await handle(await eventOf(record));
  } catch (error) {
    console.error('message %s failed:', record.messageId, error);
    throw error;
  }
};

// With a FIFO queue, the failed event's group stops.
const standard = new BatchProcessor(EventType.SQS);
const fifo = new SqsFifoPartialProcessorAsync();

export const handler = async (batch, context) => {
  // After a timeout, the event is in progress only until the time at which the function was to end.
  once.registerLambdaContext(context);
  const ordered = batch.Records[0].eventSourceARN.endsWith('.fifo');
  return processPartialResponse(batch, handleRecord, ordered ? fifo : standard, {
    context,
    // If all events of a batch fail, the function still succeeds: Lambda slows down polling when a function fails.
    throwOnFullBatchFailure: false,
    // One after the other, so that the second of two equal events sees that the first has been handled.
    ...(ordered ? { skipGroupOnError: true } : { processInParallel: false }),
  });
};
