// DingTalk's events onto a queue, as one writes it in an afternoon: the client is made once, the order is the same.
import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { run } from "./runtime.mjs";

const ENTRY = JSON.parse(process.env.ENTRY);
const KEY = Buffer.from(`${ENTRY.aes_key}=`, "base64");
const { QUEUE_URL } = process.env;
const sqs = new SQSClient({});

const signature = (...parts) => createHash("sha1").update([ENTRY.token, ...parts].sort().join("")).digest("hex");

function seal(text) {
  const owner = Array.isArray(ENTRY.owner_key) ? ENTRY.owner_key[0] : ENTRY.owner_key;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text));
  const plain = Buffer.concat([randomBytes(16), length, Buffer.from(text), Buffer.from(owner)]);
  const padding = 32 - (plain.length % 32);
  const cipher = createCipheriv("aes-256-cbc", KEY, KEY.subarray(0, 16)).setAutoPadding(false);
  return Buffer.concat([cipher.update(plain), cipher.update(Buffer.alloc(padding, padding)), cipher.final()]).toString("base64");
}

export async function handler(event) {
  const query = event.queryStringParameters;
  const { encrypt } = JSON.parse(Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8"));
  const given = Buffer.from(query.signature ?? query.msg_signature ?? "");
  const expected = Buffer.from(signature(query.timestamp, query.nonce, encrypt));
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return { statusCode: 401, body: '{"error":"signature"}' };
  }
  const decipher = createDecipheriv("aes-256-cbc", KEY, KEY.subarray(0, 16)).setAutoPadding(false);
  const plain = Buffer.concat([decipher.update(encrypt, "base64"), decipher.final()]);
  const payload = JSON.parse(plain.subarray(20, 20 + plain.readUInt32BE(16)));
  const message = {
    specversion: "1.0",
    id: payload.eventId ?? createHash("sha256").update(plain).digest("hex"),
    source: "/dingtalk/default",
    type: `dingtalk.${payload.EventType}`,
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
  const now = String(Date.now());
  const nonce = randomBytes(8).toString("hex");
  const reply = seal("success");
  const body = { msg_signature: signature(now, nonce, reply), timeStamp: now, nonce, encrypt: reply };
  return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

await run(handler);
