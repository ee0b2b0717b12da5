import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { download } from "./download.ts";
import { PlaneClient } from "./plane-client.ts";

const folder = await mkdtemp(join(tmpdir(), "tally-download-"));
const content = new Uint8Array(3_000_000).map((_, i) => i * 31 + (i >> 8));
let tag = '"one"';
let asked: (string | undefined)[] = [];
/** Bytes after which the connection is cut, one for each request; none: to the end. */
let cuts: number[] = [];

const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
  asked.push(request.headers.range);
  const start = request.headers["if-range"] === tag ? Number(first ?? 0) : 0;
  if (start >= content.length) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
    return;
  }
  const body = content.subarray(start);
  const range = start > 0 && { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(start > 0 ? 206 : 200, { etag: tag, "content-length": body.length, ...range });
  const cut = cuts.shift();
  if (cut === undefined) response.end(body);
  else response.write(body.subarray(0, cut), () => response.destroy());
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
after(async () => {
  server.close();
  await rm(folder, { recursive: true });
});
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const client = new PlaneClient({ name: "url", value: url, from: "--url" }, undefined);

let path = "";
let count = 0;
beforeEach(() => {
  [asked, cuts, tag] = [[], [], '"one"'];
  count += 1;
  path = join(folder, `answer-${count}`);
});
const fetchIt = (of = "the question") => download({ path, of, ask: (begun) => client.piece("/x", begun) });
const isWhole = async (part: string) => assert.deepEqual(new Uint8Array(await readFile(part)), content);

test("a download that breaks off goes on by itself, from where it was", async () => {
  cuts = [1_000_000, 500_000];
  await isWhole(await fetchIt());
  assert.equal(asked.length, 3);
  assert.equal(asked[0], undefined);
  assert.ok(asked.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range!)));
  assert.ok(!existsSync(`${path}.part.json`));
});

test("a download that broke off in an earlier run goes on in the next, for the same question only", async () => {
  cuts = [400_000, 1, 1, 1, 1, 1];
  await assert.rejects(fetchIt(), { exitCode: 5, message: /broke off after \d+ bytes/ });
  [cuts, asked] = [[], []];
  await isWhole(await fetchIt());
  assert.match(asked[0]!, /^bytes=[1-9]\d*-$/);
  await rm(`${path}.part`);
  cuts = [400_000, 0, 0, 0, 0, 0];
  await assert.rejects(fetchIt());
  [cuts, asked] = [[], []];
  await isWhole(await fetchIt("another question"));
  assert.deepEqual(asked, [undefined]);
});

test("an answer that has changed meanwhile is fetched anew", async () => {
  cuts = [2_000_000];
  const ask = client.piece.bind(client, "/x");
  await isWhole(
    await download({
      path,
      of: "it",
      ask: (begun) => {
        if (begun !== undefined) tag = '"two"';
        return ask(begun);
      },
    }),
  );
});

test("what was there in full already is not fetched again", async () => {
  await writeFile(`${path}.part`, content);
  await writeFile(`${path}.part.json`, JSON.stringify({ of: "the question", tag }));
  await isWhole(await fetchIt());
  assert.deepEqual(asked, [`bytes=${content.length}-`]);
});
