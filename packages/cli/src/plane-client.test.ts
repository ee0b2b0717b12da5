import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { createGzip, type Gzip } from "node:zlib";
import { PlaneClient } from "./plane-client.ts";

let answer: { status: number; body: string } = { status: 200, body: "{}" };
let seen: { authorization: string | undefined; body: string } = { authorization: undefined, body: "" };
const server = createServer(async (request, response) => {
  const body = (await Array.fromAsync(request as AsyncIterable<Buffer>)).join("");
  seen = { authorization: request.headers.authorization, body };
  const location = answer.status === 302 ? { location: "http://127.0.0.1:1/" } : {};
  response.writeHead(answer.status, { "content-type": "application/json", ...location }).end(answer.body);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => server.close());
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const client = (token?: string) => new PlaneClient({ name: "url", value: url, from: "--url" }, token);

function refuse(status: number, error: object): void {
  answer = { status, body: JSON.stringify({ error }) };
}

test("a token travels as Bearer, and JSON both ways", async () => {
  answer = { status: 201, body: '{"token":"x"}' };
  assert.deepEqual(await client("tly_a").post("/api/v1/tokens", { role: "auditor" }), { token: "x" });
  assert.deepEqual(seen, { authorization: "Bearer tly_a", body: '{"role":"auditor"}' });
});

test("refusals end with the code that is documented for their status", async () => {
  const expected = { 400: 2, 401: 4, 403: 4, 404: 2, 409: 2, 413: 2, 500: 1, 503: 5 } as const;
  for (const [status, exitCode] of Object.entries(expected)) {
    refuse(Number(status), { code: "x", message: "the words of the plane", hint: "what next" });
    await assert.rejects(client("tly_a").get("/"), { exitCode, message: "the words of the plane" }, status);
  }
});

test("a denial by policy keeps its code and its reasons", async () => {
  refuse(403, { code: "policy-denied", message: "release is denied: nobody approved it" });
  await assert.rejects(client("tly_a").get("/"), { exitCode: 4, code: "policy-denied", message: /nobody approved/ });
});

test("a plane that refuses to sign has failed a verification, and is not merely away", async () => {
  refuse(503, { code: "refuses-to-sign", message: "the folder is an older copy" });
  await assert.rejects(client().get("/"), { exitCode: 3 });
});

test("who gave no token is told to give one", async () => {
  refuse(401, { code: "unauthorized", message: "no token was given" });
  await assert.rejects(client().get("/"), { exitCode: 4, hint: /TALLY_TOKEN/ });
});

test("a redirect is not followed: it would carry the token elsewhere", async () => {
  answer = { status: 302, body: "" };
  await assert.rejects(client("tly_a").get("/"), { exitCode: 1, message: /answered 302/ });
});

test("what is no plane is told apart", async () => {
  answer = { status: 200, body: "<html>" };
  await assert.rejects(client().get("/x"), { message: /no plane/ });
});

test("a token does not travel unencrypted to another machine, unless that is allowed", () => {
  const setting = { name: "url", value: "http://plane.example", from: "--url" } as const;
  assert.throws(() => new PlaneClient(setting, "tly_a"), { exitCode: 2, message: /unencrypted/ });
  assert.equal(new PlaneClient(setting, undefined).url, "http://plane.example");
  assert.equal(new PlaneClient(setting, "tly_a", true).url, "http://plane.example");
});

test("attack: a plane that sends without end, in JSON, in a line, in words of refusal, packed and not", async (t) => {
  let [status, packed] = [200, false];
  const chunk = Buffer.alloc(1024 * 1024, " ");
  const endless = createServer((_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...(packed && { "content-encoding": "gzip" }) });
    const out = packed ? createGzip() : response;
    if (packed) (out as Gzip).pipe(response);
    const more = () => {
      while (!response.destroyed && out.write(chunk));
    };
    out.on("drain", more);
    more();
  });
  await new Promise<void>((resolve) => endless.listen(0, "127.0.0.1", resolve));
  t.after(() => endless.close().closeAllConnections());
  const value = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`;
  const plane = new PlaneClient({ name: "url", value, from: "--url" }, undefined);
  const tooMuch = { exitCode: 1, message: /sends more than \d+ bytes/ };
  await assert.rejects(plane.get("/api/v1/devices"), tooMuch);
  await assert.rejects(Array.fromAsync(plane.lines("/x", {})), tooMuch);
  packed = true;
  await assert.rejects(plane.get("/api/v1/devices"), tooMuch);
  [status, packed] = [403, false];
  await assert.rejects(plane.get("/api/v1/devices"), {
    exitCode: 4,
    message: "the plane answered 403 to GET /api/v1/devices",
  });
});
