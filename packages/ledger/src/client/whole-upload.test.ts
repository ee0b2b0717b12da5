import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LedgerError } from "../error.ts";
import type { LogReader } from "../log-reader.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { startMirror, type TestMirror } from "../testing/test-mirror.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";
import { syncLog } from "./index.ts";

interface Upload {
  status: number;
  /** Bytes as they arrived. */
  received: number;
}

interface Place {
  readonly device: TestDevice;
  readonly mirror: TestMirror;
  readonly url: string;
  readonly uploads: Upload[];
  /** Ends the connection of an upload once the mirror has stored more entries than these. */
  breakAt: number;
}

/** A mirror that fails where a body ends before the upload does, as there are some, though C2SP tlog-mirror has them answer 202. */
async function place(t: TestContext, size: number, entry?: (index: number) => Uint8Array): Promise<Place> {
  const folder = await temporaryFolder(t);
  const signers = testSigners();
  const mirror = await startMirror(t, { dir: join(folder, "mirror"), keySets: new Map([[ORIGIN, keySetOf(signers)]]) });
  const device = await TestDevice.open(join(folder, "device"), signers);
  t.after(() => device.close());
  await device.growTo(size, entry);
  const uploads: Upload[] = [];
  const server = createServer(async (request, response) => {
    const upload = { status: 0, received: 0 };
    if (request.url === "/add-entries") uploads.push(upload);
    const watched = async function* () {
      for await (const chunk of request) {
        upload.received += chunk.length;
        const stored = mirror.mirror.log(ORIGIN)?.nextEntry ?? 0;
        if (request.url === "/add-entries" && stored > made.breakAt) request.socket.destroy();
        yield chunk;
      }
    };
    const headers = { "content-encoding": request.headers["content-encoding"] ?? "identity" };
    const init = { method: "POST", headers, body: watched(), duplex: "half" } as unknown as RequestInit;
    try {
      const answer = await fetch(mirror.url + request.url, init);
      upload.status = answer.status === 202 ? 500 : answer.status;
      const type = { "content-type": answer.headers.get("content-type") ?? "text/plain" };
      response.writeHead(upload.status, type).end(Buffer.from(await answer.arrayBuffer()));
    } catch {
      response.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const made: Place = { device, mirror, url, uploads, breakAt: Number.POSITIVE_INFINITY };
  return made;
}

test("a mirror that fails where a request ends early is sent all packages in one", async (t) => {
  const { device, mirror, url, uploads } = await place(t, 20_000);
  assert.equal((await device.sync(url)).status, "mirrored");
  assert.deepEqual(
    uploads.map(({ status }) => status),
    [500, 200],
  );
  assert.equal(mirror.mirror.log(ORIGIN)!.mirrored?.checkpoint.size, 20_000);
  // What fits into one request is no reason to send it twice, nor is another refusal.
  uploads.length = 0;
  await device.growTo(20_100);
  assert.equal((await device.sync(url)).status, "mirrored");
  assert.equal(uploads.length, 1);
});

test("a mirror that fails whatever it is sent is asked twice and then said to fail", async (t) => {
  const { device } = await place(t, 9_000);
  const paths: string[] = [];
  const failing: typeof fetch = async (input, init) => {
    paths.push(new URL(String(input)).pathname);
    for await (const _ of (init?.body ?? []) as AsyncIterable<Uint8Array>);
    return paths.at(-1) === "/add-checkpoint" ? new Response("") : new Response("out of order", { status: 500 });
  };
  const result = await device.sync("http://mirror.test", { fetch: failing });
  assert.deepEqual(result, { status: "refused", code: 500, message: "out of order", step: "add-entries" });
  assert.deepEqual(paths, ["/add-checkpoint", "/add-entries", "/add-entries"]);
});

test("a streamed upload reads no further ahead than the mirror takes, and goes on where its connection broke", async (t) => {
  const parts = await place(t, 16_000, () => new Uint8Array(randomBytes(2_000)));
  const { device, url, uploads, mirror } = parts;
  let ahead = 0;
  let read = 0;
  const log = watchedLog(device.ledger, (bytes) => {
    const upload = uploads.at(-1);
    read += bytes;
    // The second upload is the streamed one.
    if (uploads.length > 1) ahead = Math.max(ahead, read - upload!.received);
    else read = 0;
  });
  // More than one request holds, and more is left than all buffers on the way.
  parts.breakAt = 8_192;
  const sync = () => syncLog(url, { log, latest: device.ledger.latest! });
  await assert.rejects(sync(), (error) => error instanceof LedgerError && error.code === "unreachable");
  const stored = mirror.mirror.log(ORIGIN)!.nextEntry;
  assert.ok(stored > 8_192, `${stored} entries were stored`);
  assert.ok(ahead > 0 && ahead < 8_000_000, `it read ${ahead} bytes ahead of a body of 32 MB`);
  parts.breakAt = Number.POSITIVE_INFINITY;
  uploads.length = 0;
  assert.equal((await sync()).status, "mirrored");
  // The mirror may still be at work on the broken upload, and have it sent once more for that.
  const left = (16_000 - stored) * 2_100;
  assert.ok(
    uploads.every(({ received }) => received < left),
    "what was stored is not sent again",
  );
});

/** The ledger, and whoever wants to know how many bytes of entries are read from it. */
function watchedLog(ledger: LogReader, onRead: (bytes: number) => void): LogReader {
  return Object.create(ledger, {
    origin: { value: ledger.origin },
    entries: {
      value: async function* (start: number, end: number) {
        for await (const entry of ledger.entries(start, end)) {
          onRead(entry.length);
          yield entry;
        }
      },
    },
    subtreeConsistencyProof: { value: ledger.subtreeConsistencyProof.bind(ledger) },
    consistencyProof: { value: ledger.consistencyProof.bind(ledger) },
  });
}
