import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { arriving } from "./arriving.ts";
import { type Outgoing, send } from "./send.ts";

const mebibyte = 1024 * 1024;

async function serving(t: TestContext, listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

function outgoing(url: URL, more: Partial<Outgoing> = {}): Outgoing {
  const { signal } = new AbortController();
  return { method: "GET", url, headers: {}, body: undefined, signal, socketPath: undefined, ...more };
}

test("a chunk whose memory is filled anew when the next is asked for arrives as it was", async (t) => {
  let arrived = Buffer.alloc(0);
  const url = await serving(t, async (req, res) => {
    arrived = Buffer.concat(await Array.fromAsync(req as AsyncIterable<Buffer>));
    res.end();
  });
  const lent = Buffer.alloc(mebibyte);
  const body = (async function* () {
    for (let i = 0; i < 8; i += 1) yield lent.fill(i);
    lent.fill(0xff);
  })();
  const answer = await send(
    outgoing(url, { method: "PUT", body, headers: { "content-length": String(8 * mebibyte) } }),
  );
  assert.equal(answer.status, 200);
  assert.equal(arrived.length, 8 * mebibyte);
  for (let i = 0; i < 8; i += 1)
    assert.ok(arrived.subarray(i * mebibyte, (i + 1) * mebibyte).every((byte) => byte === i));
});

test("a refusal that comes before the body was read is heard, and the rest is not sent", async (t) => {
  const url = await serving(t, (_, res) => res.writeHead(413).end("too large"));
  let asked = 0;
  let left = false;
  const body = (async function* () {
    try {
      for (; ; asked += 1) yield Buffer.alloc(mebibyte);
    } finally {
      left = true;
    }
  })();
  const answer = await send(outgoing(url, { method: "PUT", body }));
  assert.equal(answer.status, 413);
  assert.equal(String(Buffer.concat(await Array.fromAsync(arriving(answer.body)))), "too large");
  while (!left) await new Promise(setImmediate);
  assert.ok(asked < 100, `${asked} MiB were asked for`);
});

test("a source that fails is the error of the request, and the connection is gone", async (t) => {
  const closed = Promise.withResolvers<void>();
  const url = await serving(t, (req) => req.resume().on("close", closed.resolve));
  const body = (async function* () {
    yield Buffer.alloc(1000);
    throw new Error("the disk has failed");
  })();
  const sent = send(outgoing(url, { method: "PUT", body, headers: { "content-length": "2000" } }));
  await assert.rejects(sent, { message: "the disk has failed" });
  await closed.promise;
});

/** A server whose second answer on a connection is to close it, as one that was silent for long. */
async function closingServer(t: TestContext): Promise<{ url: URL; requests: () => number }> {
  let requests = 0;
  const server = createTcpServer((socket: Socket) => {
    let own = 0;
    socket.on("error", () => {});
    socket.on("data", () => {
      requests += 1;
      own += 1;
      if (own > 1) socket.resetAndDestroy();
      else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`), requests: () => requests };
}

test("a question over a connection that was closed meanwhile is asked again, what changes something is not", async (t) => {
  const { url, requests } = await closingServer(t);
  const ask = async (method: string) => {
    const { body } = await send(outgoing(url, { method, ...(method === "POST" && { body: new Uint8Array() }) }));
    return String(Buffer.concat(await Array.fromAsync(arriving(body))));
  };
  assert.equal(await ask("GET"), "ok");
  await new Promise(setImmediate);
  assert.equal(await ask("GET"), "ok");
  assert.equal(requests(), 3);
  await new Promise(setImmediate);
  await assert.rejects(ask("POST"), { code: "ECONNRESET" });
  assert.equal(requests(), 4);
});

test("what arrived before a connection broke is given before the error", async (t) => {
  const url = await serving(t, (_, res) => {
    res.writeHead(200, { "Content-Length": String(2 * mebibyte) });
    res.write(Buffer.alloc(mebibyte, 1), () => res.destroy());
  });
  const reading = await send(outgoing(url));
  let bytes = 0;
  await assert.rejects(async () => {
    for await (const chunk of arriving(reading.body)) {
      bytes += chunk.length;
      // Slower than the network.
      await new Promise(setImmediate);
    }
  });
  assert.ok(bytes >= mebibyte / 2, `${bytes} bytes were given`);
});
