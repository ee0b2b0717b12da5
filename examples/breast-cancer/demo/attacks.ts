// The demo's attackers. They hold what a thief of a device holds: its folder and its keys. Everything they talk to is real.

import { readFileSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeEntry,
  encodeEntry,
  noteSignerFromPem,
  randomBytes,
  sessionMessage,
  sha256,
  signWithPem,
  toBase64,
  utf8,
} from "@tally/evidence";
import { Ledger, openForReading, syncLog } from "@tally/ledger";

export interface Victim {
  readonly dir: string;
  readonly origin: string;
}

/** Copies a device, for an attacker to work on. */
export async function copyDevice({ dir, origin }: Victim, to: string): Promise<Victim> {
  await rm(to, { recursive: true, force: true });
  await cp(dir, to, { recursive: true });
  // The original is running and holds its folder; a thief does not keep that note.
  for (const name of await readdir(to, { recursive: true })) {
    if (/(^|\/)lock\./.test(name)) await rm(join(to, name));
  }
  return { dir: to, origin };
}

/**
 * Rewrites one old output in a ledger, signs the result with the device's own keys, and offers it.
 *
 * @returns what the plane answered.
 */
export async function offerRewritten(victim: Victim, url: string): Promise<string> {
  const entries = await readEntries(victim);
  const target = entries.findIndex((bytes) => decodeEntry(bytes).kind === "inference");
  const entry = decodeEntry(entries[target]!);
  if (entry.kind !== "inference") throw new Error("the ledger holds no record to rewrite");
  entries[target] = encodeEntry({ ...entry, output: { ...entry.output, commitment: sha256(randomBytes(32)) } });
  return offer(victim, entries, url);
}

/** Cuts the newest entries off a ledger, continues it with others, signs, and offers it. */
export async function offerCut(victim: Victim, url: string): Promise<string> {
  const entries = await readEntries(victim);
  const records = entries.flatMap((bytes, index) => (decodeEntry(bytes).kind === "inference" ? [index] : []));
  const keep = records.at(-3)!;
  const last = decodeEntry(entries[keep - 1]!);
  if (last.kind !== "inference") throw new Error("the ledger holds too few records to cut");
  const continued = Array.from({ length: entries.length - keep + 4 }, (_, i) =>
    encodeEntry({
      ...last,
      ordinal: last.ordinal + 1 + i,
      output: { ...last.output, commitment: sha256(randomBytes(32)) },
    }),
  );
  return offer(victim, [...entries.slice(0, keep), ...continued], url);
}

/** Changes one byte of a model that lies unpacked on a device. @returns the file. */
export async function replaceModelFile({ dir }: Victim, manifest: string): Promise<string> {
  const folder = join(dir, "models", manifest.slice("sha256:".length));
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith(".onnx")) continue;
    const path = join(folder, name);
    const bytes = await readFile(path);
    bytes[bytes.length - 8]! ^= 1;
    await writeFile(path, bytes);
    return path;
  }
  throw new Error(`${manifest} does not lie on the device`);
}

async function readEntries({ dir }: Victim): Promise<Uint8Array[]> {
  const { log } = await openForReading(join(dir, "journal"));
  try {
    return await Array.fromAsync(log.entries(0, log.size));
  } finally {
    await log.close();
  }
}

async function offer({ dir, origin }: Victim, entries: readonly Uint8Array[], url: string): Promise<string> {
  const forged = join(dir, "forged");
  await mkdir(forged, { recursive: true });
  const pem = (name: string) => readFileSync(join(dir, "keys", name), "utf8");
  const signers = [
    noteSignerFromPem(origin, 1, pem("ed25519.pem")),
    noteSignerFromPem(origin, 6, pem("ml-dsa-44.pem")),
  ];
  const ledger = await Ledger.open({ dir: forged, origin, signers });
  try {
    await Promise.all(entries.map((bytes) => ledger.append(bytes).committed));
    const latest = await ledger.seal();
    const authorization = `Bearer ${await openSession(url, origin, pem("ed25519.pem"))}`;
    const result = await syncLog(url, { log: ledger, latest, headers: { authorization } });
    return result.status === "refused" ? `refused with ${result.code}: ${result.message}` : result.status;
  } finally {
    await ledger.close();
  }
}

async function openSession(url: string, origin: string, pem: string): Promise<string> {
  const ask = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    return (await answer.json()) as Record<string, unknown>;
  };
  const { nonce } = await ask("/api/v1/sessions/nonce", { origin });
  const signature = toBase64(await signWithPem(pem, utf8(sessionMessage(origin, String(nonce)))));
  const { token } = await ask("/api/v1/sessions", { origin, nonce, signature });
  return String(token);
}
