// A Runtime API client in a few lines: what AWS's own does, without its compiled parts.
import http from "node:http";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function request(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}` }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(parts) }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

export async function run(handler) {
  for (;;) {
    const next = await request("GET", "next");
    const reply = JSON.stringify(await handler(JSON.parse(next.body)));
    await request("POST", `${next.headers["lambda-runtime-aws-request-id"]}/response`, reply);
  }
}
