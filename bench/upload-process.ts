// Sends prepared syncs to a plane, from a process of its own: node upload-process.ts URL. Told a list of syncs it reads
// their bodies and says "ready"; told "go" it sends all of them at a time and answers with the seconds that took.

import { readFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import type { PreparedSync } from "./prepared-sync.ts";

interface Loaded {
  readonly token: string;
  readonly checkpoint: Buffer;
  readonly uploads: readonly Buffer[];
}

const url = process.argv[2]!;
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
let syncs: readonly Loaded[] = [];

process.on("message", async (message) => {
  if (message === "go") {
    const began = performance.now();
    await Promise.all(syncs.map(send));
    process.send!({ seconds: (performance.now() - began) / 1000 });
  } else {
    syncs = await Promise.all((message as PreparedSync[]).map(load));
    process.send!("ready");
  }
});
process.on("disconnect", () => agent.destroy());

async function load({ token, checkpoint, uploads }: PreparedSync): Promise<Loaded> {
  const bodies = await Promise.all(uploads.map((path) => readFile(path)));
  return { token, checkpoint: await readFile(checkpoint), uploads: bodies };
}

async function send({ token, checkpoint, uploads }: Loaded): Promise<void> {
  await post("/add-checkpoint", token, checkpoint, { "content-type": "text/plain; charset=utf-8" }, 200);
  const headers = { "content-type": "application/octet-stream", "content-encoding": "gzip" };
  for (const [i, body] of uploads.entries()) {
    await post("/add-entries", token, body, headers, i + 1 === uploads.length ? 200 : 202);
  }
}

function post(path: string, token: string, body: Buffer, headers: Record<string, string>, expected: number) {
  return new Promise<void>((resolve, reject) => {
    const sent = request(
      url + path,
      {
        method: "POST",
        agent,
        headers: { ...headers, authorization: `Bearer ${token}`, "content-length": body.length },
      },
      (response) => {
        let said = "";
        response.on("data", (chunk: Buffer) => {
          said += chunk.toString("utf8");
        });
        response.on("end", () => {
          if (response.statusCode === expected) resolve();
          else reject(new Error(`${path}: ${response.statusCode}, not ${expected}: ${said.slice(0, 500)}`));
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
