import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { LedgerError } from "../error.ts";
import { sampleEntry } from "../testing/sample-entries.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { startMirror } from "../testing/test-mirror.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";
import { submitCheckpoint, syncLog, uploadEntries } from "./index.ts";

async function openDevice(t: TestContext, size: number, entry = sampleEntry): Promise<TestDevice> {
  const device = await TestDevice.open(join(await temporaryFolder(t), "device"), testSigners());
  t.after(() => device.close());
  await device.growTo(size, entry);
  return device;
}

interface Call {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** A server that answers each request as the test says. */
async function serve(t: TestContext, answer: (call: Call, response: ServerResponse) => void) {
  const calls: Call[] = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const call = { path: request.url!, headers: request.headers, body };
    calls.push(call);
    answer(call, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

const info = { "content-type": "text/x.tlog.mirror-info" };

test("nobody listening is `unreachable`, with the address and what to do", async (t) => {
  const device = await openDevice(t, 3);
  const { url } = await serve(t, () => {});
  const closed = url.replace(/\d+$/, "1");
  await assert.rejects(device.sync(closed), (error) => {
    assert.ok(error instanceof LedgerError && error.code === "unreachable");
    assert.match(error.message, /127\.0\.0\.1:1\/add-checkpoint.*(ECONNREFUSED|bad port)/);
    assert.match(error.hint ?? "", /nothing is lost/);
    return true;
  });
});

test("no answer in time is `unreachable`", async (t) => {
  const device = await openDevice(t, 3);
  const { url } = await serve(t, () => {});
  await assert.rejects(device.sync(url, { timeout: 30 }), { code: "unreachable", message: /within 30 ms/ });
});

test("a connection cut before or within the answer is `unreachable`", async (t) => {
  const device = await openDevice(t, 3);
  const before = await serve(t, (_call, response) => response.destroy());
  await assert.rejects(device.sync(before.url), { code: "unreachable" });
  const within = await serve(t, (_call, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("— ", () => response.destroy());
  });
  await assert.rejects(device.sync(within.url), { code: "unreachable" });
});

test("the caller's signal ends a sync with the caller's reason", async (t) => {
  const device = await openDevice(t, 3);
  const stop = new AbortController();
  const { url } = await serve(t, () => stop.abort(new Error("the agent stops")));
  await assert.rejects(device.sync(url, { signal: stop.signal }), /the agent stops/);
});

test("headers go with every request, and a function is asked each time", async (t) => {
  const device = await openDevice(t, 600);
  const { url, calls } = await serve(t, ({ path }, response) => {
    if (path === "/add-checkpoint") response.writeHead(200).end();
    else response.writeHead(403).end("no\n");
  });
  let token = 0;
  const headers = async () => {
    token += 1;
    return { authorization: `Bearer ${token}` };
  };
  const result = await device.sync(url, { headers });
  assert.deepEqual(result, { status: "refused", step: "add-entries", code: 403, message: "no" });
  assert.deepEqual(
    calls.map((call) => call.headers.authorization),
    ["Bearer 1", "Bearer 2"],
  );
  await device.sync(url, { headers: { authorization: "Basic x" } });
  assert.equal(calls.at(-1)?.headers.authorization, "Basic x");
});

test("entries go gzip-encoded, at most 32 packages and about 4 MiB in a request", async (t) => {
  const folder = await temporaryFolder(t);
  const signers = testSigners();
  const keySets = new Map([[ORIGIN, keySetOf(signers)]]);
  const mirror = await startMirror(t, { dir: join(folder, "mirror"), keySets });
  const small = await TestDevice.open(join(folder, "small"), signers);
  t.after(() => small.close());
  await small.growTo(20_000);
  assert.equal((await small.sync(mirror.url)).status, "mirrored");
  assert.equal(mirror.uploads.length, 3);

  const other = testSigners(`${ORIGIN}0`);
  keySets.set(`${ORIGIN}0`, keySetOf(other));
  const large = await TestDevice.open(join(folder, "large"), other);
  t.after(() => large.close());
  await large.growTo(600, (index) => new Uint8Array(60_000).fill(index));
  mirror.uploads.length = 0;
  assert.equal((await large.sync(mirror.url)).status, "mirrored");
  assert.deepEqual(
    mirror.uploads.map(({ length }) => Math.round(length / 1e6)),
    [15, 15, 5],
  );

  const { url, calls } = await serve(t, (_call, response) => response.writeHead(403).end());
  await uploadEntries(url, { log: small.ledger, start: 0, end: 20_000 });
  assert.equal(calls[0]?.headers["content-encoding"], "gzip");
  assert.ok(calls[0]!.body.length < gunzipSync(calls[0]!.body).length);
});

test("a failure to read the ledger is that failure, not a hanging upload", async (t) => {
  const device = await openDevice(t, 300);
  const { url } = await serve(t, (_call, response) => response.writeHead(200).end());
  const log = Object.create(device.ledger, {
    origin: { value: ORIGIN },
    entries: {
      value: async function* () {
        yield sampleEntry(0);
        throw new LedgerError("damaged", "entry 1 was altered");
      },
    },
  });
  await assert.rejects(uploadEntries(url, { log, start: 0, end: 300 }), { code: "damaged" });
});

test("a mirror that never gets further is left after a few rounds", async (t) => {
  const device = await openDevice(t, 600);
  for (const status of [202, 409]) {
    const { url, calls } = await serve(t, ({ path }, response) => {
      if (path === "/add-checkpoint") response.writeHead(200).end();
      else response.writeHead(status, info).end("600\n0\n\n");
    });
    await assert.rejects(device.sync(url), { code: "protocol", message: /does not get further/ });
    assert.ok(calls.length < 10);
  }
  const { url, calls } = await serve(t, (_call, response) => {
    response.writeHead(409, { "content-type": "text/x.tlog.size" }).end(`${calls.length % 2 ? 5 : 7}\n`);
  });
  await assert.rejects(device.sync(url), { code: "protocol", message: /named another size/ });
  assert.ok(calls.length < 10);
});

test("a mirror that holds more of the log than we do makes us `behind`, at either step", async (t) => {
  const device = await openDevice(t, 600);
  const first = await serve(t, (_call, response) =>
    response.writeHead(409, { "content-type": "text/x.tlog.size" }).end("601\n"),
  );
  assert.deepEqual(await device.sync(first.url), { status: "behind", size: 601 });
  const second = await serve(t, ({ path }, response) => {
    if (path === "/add-checkpoint") response.writeHead(200).end();
    else response.writeHead(409, info).end("700\n700\n\n");
  });
  assert.deepEqual(await device.sync(second.url), { status: "behind", size: 700 });
});

test("answers outside the protocol are told apart from refusals", async (t) => {
  const device = await openDevice(t, 3);
  const { note } = device.ledger.latest!;
  const answers: [number, Record<string, string>, string, "protocol" | number][] = [
    [200, {}, "not a signature\n", "protocol"],
    [200, {}, "x".repeat(300_000), "protocol"],
    [409, { "content-type": "text/x.tlog.size" }, "many\n", "protocol"],
    [409, {}, "5\n", 409],
    [302, { location: "http://127.0.0.1:1/" }, "", 302],
    [401, {}, "show a token", 401],
    [503, {}, "", 503],
  ];
  for (const [status, headers, body, expected] of answers) {
    const { url, calls } = await serve(t, (_call, response) => response.writeHead(status, headers).end(body));
    const result = submitCheckpoint(url, { old: 0, proof: [], note });
    if (expected === "protocol") {
      await assert.rejects(result, { code: "protocol" });
    } else {
      assert.deepEqual(await result, {
        status: "refused",
        code: expected,
        message: body.trim() || `HTTP status ${status}`,
      });
    }
    assert.equal(calls.length, 1);
  }
  const { url } = await serve(t, (_call, response) => response.writeHead(202, info).end("1\n2\n"));
  await assert.rejects(uploadEntries(url, { log: device.ledger, start: 0, end: 3 }), { code: "protocol" });
});

test("a sync that is stopped anywhere goes on at the last stored package", async (t) => {
  const folder = await temporaryFolder(t);
  const signers = testSigners();
  const mirror = await startMirror(t, { dir: join(folder, "mirror"), keySets: new Map([[ORIGIN, keySetOf(signers)]]) });
  const device = await TestDevice.open(join(folder, "device"), signers);
  t.after(() => device.close());
  await device.growTo(30_000);
  const seen: number[] = [];
  let requests = 0;
  const stopping: typeof fetch = async (...call) => {
    requests += 1;
    if (requests % 5 === 0) throw new TypeError("fetch failed");
    return fetch(...call);
  };
  const options = { log: device.ledger, latest: device.ledger.latest!, fetch: stopping };
  for (;;) {
    try {
      const result = await syncLog(mirror.url, { ...options, onProgress: ({ nextEntry }) => seen.push(nextEntry) });
      assert.equal(result.status, "mirrored");
      break;
    } catch (error) {
      assert.ok(error instanceof LedgerError && error.code === "unreachable");
    }
  }
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    seen,
  );
  assert.equal(mirror.mirror.log(ORIGIN)!.mirrored?.checkpoint.size, 30_000);
});
