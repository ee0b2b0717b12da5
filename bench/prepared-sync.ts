import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Device } from "@tally/edge";
import { parseCheckpoint, sha256, utf8 } from "@tally/evidence";
import { formatAddCheckpointBody, uploadRequest } from "@tally/ledger";

/** A device's next sync as the requests that it is made of: files with their bodies, to be sent one after another. */
export interface PreparedSync {
  readonly token: string;
  readonly checkpoint: string;
  readonly uploads: readonly string[];
  /** How many entries the plane takes in with it. */
  readonly entries: number;
}

/** A request's packages reach so far, as entries of a few hundred bytes are bounded by their number. */
const entriesPerRequest = 8192;

/** Does what a device does before it sends anything, and keeps what it would send. The device has never synced. */
export async function prepareSync(device: Device, url: string, dir: string, name: string): Promise<PreparedSync> {
  const token = await device.session.token();
  const { old, note, size } = await sealedHead(device, url, token);
  const { ledger } = device.core;
  const checkpoint = join(dir, `${name}.checkpoint`);
  await writeFile(checkpoint, formatAddCheckpointBody({ old, proof: [], note }));
  const uploads: string[] = [];
  for (let start = 0; start < size; ) {
    const path = join(dir, `${name}.${start}`);
    await writeFile(path, await uploadRequest({ log: ledger, start, end: size }));
    uploads.push(path);
    start = Math.min(size, start - (start % 256) + entriesPerRequest);
  }
  return { token, checkpoint, uploads, entries: size };
}

/** The ledger with anchor, summary and signed checkpoint, in the order of a sync. */
async function sealedHead({ core }: Device, url: string, token: string) {
  const { ledger, recorder } = core;
  const note = await (await fetch(`${url}/log/checkpoint`, { headers: { authorization: `Bearer ${token}` } })).text();
  const { size, root } = parseCheckpoint(note).checkpoint;
  recorder.note({ kind: "anchor", size, root, noteHash: sha256(utf8(note)) });
  recorder.summary();
  const latest = await ledger.seal();
  return { old: 0, note: latest.note, size: latest.checkpoint.size };
}
