// Signs deliveries, or judges their signatures, by the senders' own libraries.
//
// Reads a JSON array of `{library, secret, body, url, headers}` and writes, in the same order, an array of the headers
// that the library signs with, or of `true` and `false` where it can only verify `headers`. WeCom's package takes
// `{library, token, key, id, timestamp, nonce, body}`; it encrypts `body`, checks that it decrypts it, and signs it, or
// opens `encrypt` with `signature`.
import hmacValidator from "@adyen/api-library/lib/src/utils/hmacValidator.js";
import { Signature } from "@hubspot/api-client/lib/src/utils/signature.js";
import { validateSignature } from "@line/bot-sdk";
import { LinearWebhookClient } from "@linear/sdk/webhooks";
import { signWebhookPayload } from "@notionhq/client";
import { sign } from "@octokit/webhooks-methods";
import { AlipaySdk } from "alipay-sdk";
import { decrypt, encrypt, getSignature } from "@wecom/crypto";
import MessageValidator from "sns-validator";
import coinbase from "coinbase-commerce-node";
import { generateKeyPairSync } from "node:crypto";
import https from "node:https";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import wechatpay from "wechatpay-axios-plugin";

const libraries = {
  "@adyen/api-library": ({ secret, body, headers }) =>
    new hmacValidator.default().validateHMACSignature(secret, headers.HmacSignature, body),
  "@hubspot/api-client": ({ secret, body, url }) => {
    const timestamp = Date.now();
    const options = { clientSecret: secret, requestBody: body, url, timestamp };
    return {
      "X-HubSpot-Signature-v3": Signature.getSignature("POST", "v3", options),
      "X-HubSpot-Request-Timestamp": String(timestamp),
    };
  },
  "@line/bot-sdk": ({ secret, body, headers }) => validateSignature(body, secret, headers["x-line-signature"]),
  "@linear/sdk": ({ secret, body, headers }) => {
    try {
      return new LinearWebhookClient(secret).verify(Buffer.from(body), headers["linear-signature"], JSON.parse(body).webhookTimestamp);
    } catch {
      return false;
    }
  },
  "@notionhq/client": async ({ secret, body }) => ({
    "X-Notion-Signature": await signWebhookPayload({ body, verificationToken: secret }),
  }),
  "@octokit/webhooks-methods": async ({ secret, body }) => ({ "X-Hub-Signature-256": await sign(secret, body) }),
  "@wecom/crypto": ({ token, key, id, timestamp, nonce, body }) => {
    const sealed = encrypt(key, body, id);
    const opened = decrypt(key, sealed);
    if (opened.message !== body || opened.id !== id) throw new Error("@wecom/crypto does not open what it sealed");
    return { encrypt: sealed, signature: getSignature(token, timestamp, nonce, sealed) };
  },
  // The message in base64, if signature, ciphertext and id are right.
  "@wecom/crypto open": ({ token, key, id, timestamp, nonce, encrypt: sealed, signature }) => {
    try {
      const opened = decrypt(key, sealed);
      const isRight = getSignature(token, timestamp, nonce, sealed) === signature && opened.id === id;
      return isRight ? Buffer.from(opened.message).toString("base64") : null;
    } catch {
      return null;
    }
  },
  "coinbase-commerce-node": ({ secret, body }) => ({
    "X-CC-Webhook-Signature": coinbase.Webhook.computeSignature(body, secret),
  }),
  "alipay-sdk": ({ public_key, fields }) => {
    // It signs requests only; a notification needs no key of the app.
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const options = { appId: "1", privateKey: privateKey.export({ type: "pkcs1", format: "pem" }), alipayPublicKey: public_key };
    return new AlipaySdk(options).checkNotifySignV2(fields);
  },
  // A whole notification: its resource is encrypted, and then it is signed.
  "wechatpay-axios-plugin": ({ private_key, api_v3_key, notification, resource, associated_data, nonce }) => {
    const { Aes, Formatter, Rsa } = wechatpay;
    const ciphertext = Aes.AesGcm.encrypt(resource, api_v3_key, nonce, associated_data);
    const sealed = { algorithm: "AEAD_AES_256_GCM", ciphertext, associated_data, nonce };
    const body = JSON.stringify({ ...notification, resource: sealed });
    const [timestamp, random] = [String(Formatter.timestamp()), Formatter.nonce()];
    const signature = Rsa.sign(Formatter.joinedByLineFeed(timestamp, random, body), private_key);
    const headers = {
      "Wechatpay-Timestamp": timestamp,
      "Wechatpay-Nonce": random,
      "Wechatpay-Signature": signature,
      "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
    };
    return { body, headers };
  },
  // It fetches the certificate itself: `secret` is the one that it gets.
  "sns-validator": ({ secret, body }) =>
    new Promise((resolve) => {
      https.get = (_, respond) => {
        const response = new PassThrough();
        response.statusCode = 200;
        respond(response);
        response.end(secret);
        return response;
      };
      new MessageValidator().validate(body, (error) => resolve(!error));
    }),
};

const requests = JSON.parse(await text(process.stdin));
const answers = await Promise.all(requests.map((request) => libraries[request.library](request)));
process.stdout.write(JSON.stringify(answers));
