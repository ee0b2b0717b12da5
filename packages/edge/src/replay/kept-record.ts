import {
  commit,
  type Digest,
  decodeEntry,
  type Entry,
  equalBytes,
  type Inference,
  type LeafHash,
  type Load,
  type SaltedCommitment,
  sha256,
} from "@tally/evidence";
import { type LogReader, openForReading } from "@tally/ledger";
import { ErasurePlans } from "../erasure/plan.ts";
import { EdgeError } from "../error.ts";
import { deviceFolder } from "../folder/device-folder.ts";
import { openPayload } from "../recorder/payload-cipher.ts";
import { readPayloads } from "../recorder/payload-store.ts";
import { SaltStore } from "../recorder/salt-store.ts";
import type { KeysAt } from "../segments/inspect-segment.ts";
import { loadSegment } from "../segments/open-segment.ts";

/** Content that opens the commitment of its entry. */
export interface KeptContent {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** A record with what is still there of its contents. */
export interface KeptRecord {
  readonly origin: string;
  readonly index: number;
  readonly entry: Inference;
  readonly load: Load;
  /** What ran then, such as `node 26.10.0 linux x64`; null where the entry that says it is not at hand. */
  readonly platform: string | null;
  /** Undefined where it was not kept, was packed into a segment, or was erased. */
  readonly contents: { readonly input: KeptContent; readonly output: KeptContent } | undefined;
  /** The statements of an erasure that this device knows of, once the plane has them; undefined where there is none. */
  readonly erased: readonly Digest[] | undefined;
}

/**
 * A record of a device's folder, with the contents that wait there to be packed. Changes nothing; the device may be running.
 *
 * @throws EdgeError `request-invalid` where there is no such record, `damaged` where what was kept is not what was recorded
 */
export async function keptInFolder(dir: string, index: number): Promise<KeptRecord> {
  const folder = deviceFolder(dir);
  const { log } = await openForReading(folder.journal);
  try {
    const { entry, load } = await recordIn(log, index);
    const plans = await new ErasurePlans(folder.state).all();
    const erasure = plans.find(
      (plan) => plan.origin === log.origin && plan.records.some((item) => item.index === index),
    );
    const shared = { origin: log.origin, index, entry, load, platform: await platformAt(log, entry.loadIndex) };
    if (erasure !== undefined) return { ...shared, contents: undefined, erased: erasure.statements };
    const salts = await SaltStore.open(folder.salts);
    try {
      const sealed = await readPayloads(folder.payloads, index);
      const content = async (role: "input" | "output", commitment: SaltedCommitment) => {
        const found = sealed.find((payload) => payload.role === role);
        const salt = await salts.find(commitment.slot);
        if (found === undefined || salt === undefined) return undefined;
        const payload = openPayload(found, salt.key);
        if (payload === undefined) throw notOpening(role, index, "it was changed, or is not of this record");
        return requireOpening(role, index, commitment, { ...payload, salt: salt.salt });
      };
      const [input, output] = [await content("input", entry.input), await content("output", entry.output)];
      return { ...shared, contents: input && output && { input, output }, erased: undefined };
    } finally {
      await salts.close();
    }
  } finally {
    await log.close();
  }
}

/**
 * A record of an unpacked segment, all of which is verified; `identities` open one that is encrypted.
 *
 * @throws EdgeError as `openSegment`; `request-invalid`
 */
export async function keptInSegment(
  folder: string,
  index: number,
  keysAt?: KeysAt,
  identities?: readonly string[],
): Promise<KeptRecord & { readonly genesisHash: LeafHash }> {
  const { segment, entries, payloads } = await loadSegment(folder, keysAt, identities);
  const entry = entries.get(index);
  const load = entry?.kind === "inference" ? entries.get(entry.loadIndex) : undefined;
  if (entry?.kind !== "inference" || load?.kind !== "load") {
    throw new EdgeError("request-invalid", `the segment has no record ${index} with its load`);
  }
  const of = (role: "input" | "output") => payloads.find((payload) => payload.index === index && payload.role === role);
  const [input, output] = [of("input"), of("output")];
  const contents = input && output && { input, output };
  const { origin, genesisHash } = segment;
  return { origin, index, entry, load, platform: null, contents, erased: undefined, genesisHash };
}

function requireOpening(
  role: "input" | "output",
  index: number,
  { commitment }: SaltedCommitment,
  { mediaType, bytes, salt }: KeptContent & { readonly salt: Uint8Array },
): KeptContent {
  const opened = commit({ role, mediaType, salt, content: sha256(bytes) });
  if (equalBytes(opened, commitment)) return { mediaType, bytes };
  throw notOpening(role, index, "it was changed after it was recorded, or the ledger's salt was");
}

function notOpening(role: string, index: number, why: string): EdgeError {
  return new EdgeError("damaged", `the ${role} kept for record ${index} does not open its commitment: ${why}`, {
    hint: "what is kept is not what was recorded; nothing can be concluded from running it again",
  });
}

async function recordIn(log: LogReader, index: number): Promise<{ entry: Inference; load: Load }> {
  const hint = { hint: "give the index that came with the output" };
  if (index >= log.size) throw new EdgeError("request-invalid", `${log.origin} has no entry ${index}`, hint);
  const entry = decodeEntry(await log.entry(index));
  if (entry.kind !== "inference")
    throw new EdgeError("request-invalid", `entry ${index} is ${entry.kind}, not a record`, hint);
  const load = decodeEntry(await log.entry(entry.loadIndex));
  if (load.kind !== "load")
    throw new EdgeError("damaged", `entry ${index} names load ${entry.loadIndex}, a ${load.kind}`);
  return { entry, load };
}

/** What the last `restart` before that entry says of the platform. */
async function platformAt(log: LogReader, before: number): Promise<string | null> {
  const stride = 512;
  for (let to = before; to > 0; to -= stride) {
    const from = Math.max(0, to - stride);
    let last: Entry | undefined;
    for await (const bytes of log.entries(from, to)) {
      const entry = decodeEntry(bytes);
      if (entry.kind === "restart") last = entry;
    }
    if (last?.kind === "restart") return last.runtime;
  }
  return null;
}
