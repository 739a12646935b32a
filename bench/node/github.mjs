// GitHub's webhooks onto a queue, as one writes it in an afternoon: the client is made once, the order is the same.
import { createHmac, timingSafeEqual } from "node:crypto";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { run } from "./runtime.mjs";

const { SECRET, QUEUE_URL } = process.env;
const sqs = new SQSClient({});

function matches(body, given) {
  const expected = Buffer.from(`sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`);
  const got = Buffer.from(given ?? "");
  return got.length === expected.length && timingSafeEqual(got, expected);
}

export async function handler(event) {
  const body = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
  if (!matches(body, event.headers["x-hub-signature-256"])) {
    return { statusCode: 401, body: '{"error":"signature"}' };
  }
  const payload = JSON.parse(body);
  const message = {
    specversion: "1.0",
    id: event.headers["x-github-delivery"],
    source: "/github/default",
    type: `github.${event.headers["x-github-event"]}`,
    subject: payload.repository?.full_name,
    datacontenttype: "application/json",
    data: payload,
  };
  const attribute = (name) => [name, { DataType: "String", StringValue: message[name] }];
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: QUEUE_URL,
      MessageBody: JSON.stringify(message),
      MessageAttributes: Object.fromEntries(["type", "source", "id"].map(attribute)),
    }),
  );
  return { statusCode: 202, headers: { "content-type": "application/json" }, body: '{"status":"queued"}' };
}

await run(handler);
