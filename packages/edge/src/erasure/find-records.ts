import { decodeEntry, type Entry, type ErasedRecord, hashLeaf } from "@tally/evidence";
import type { DeviceCore } from "../device-core.ts";
import { EdgeError } from "../error.ts";

/** Records, with the labels of them in the same ledger. */
export interface FoundRecords {
  readonly records: readonly ErasedRecord[];
  /** Slots of their salts. */
  readonly slots: readonly number[];
}

/** What a subject's key is of. Goes through the whole ledger: entries do not say whom they are about. */
export async function recordsOfSubject(core: DeviceCore, number: number): Promise<FoundRecords> {
  const ownerOf = core.salts.ownerReader();
  const records: ErasedRecord[] = [];
  for await (const { index, bytes, entry } of entriesFrom(core, 0)) {
    const [slot] = slotsOf(entry);
    if (slot !== undefined && (await ownerOf(slot)) === number) records.push({ index, leaf: hashLeaf(bytes) });
  }
  return { records, slots: [] };
}

/**
 * One record, and the labels of it.
 *
 * @throws EdgeError `request-invalid` where there is no such record, or nothing of it can be opened any more
 */
export async function recordAt(core: DeviceCore, index: number): Promise<FoundRecords> {
  const { ledger, salts } = core;
  const hint = { hint: "give the index that came with the output" };
  if (index >= ledger.size) throw new EdgeError("request-invalid", `${ledger.origin} has no entry ${index}`, hint);
  const about = decodeEntry(await ledger.entry(index));
  if (about.kind !== "inference") {
    throw new EdgeError("request-invalid", `entry ${index} is ${about.kind}, not a record`, hint);
  }
  if ((await salts.read(about.input.slot)) === undefined) {
    throw new EdgeError("request-invalid", `the contents of record ${index} are erased already`);
  }
  const records: ErasedRecord[] = [];
  const slots: number[] = [];
  let end = salts.next;
  for await (const { index: at, bytes, entry } of entriesFrom(core, about.retrievalsBlob === undefined ? index : 0)) {
    const isLabel = entry.kind === "label" && entry.origin === ledger.origin && entry.index === index;
    if (at === index || isLabel) {
      records.push({ index: at, leaf: hashLeaf(bytes) });
      slots.push(...slotsOf(entry));
    } else {
      for (const slot of slotsOf(entry)) if (slot > about.output.slot && slot < end) end = slot;
    }
  }
  // A long list of retrievals is no longer here; its salts lie between this record's and the next one's.
  if (about.retrievalsBlob !== undefined) for (let slot = about.output.slot + 1; slot < end; slot++) slots.push(slot);
  return { records, slots };
}

function slotsOf(entry: Entry): readonly number[] {
  if (entry.kind === "label") return [entry.label.slot];
  if (entry.kind !== "inference") return [];
  const { input, output, retrievals = [], captureLevel } = entry;
  const level = typeof captureLevel === "number" ? [] : [captureLevel.slot];
  return [input.slot, output.slot, ...retrievals.map(({ slot }) => slot), ...level];
}

async function* entriesFrom(
  { ledger }: DeviceCore,
  from: number,
): AsyncGenerator<{ readonly index: number; readonly bytes: Uint8Array; readonly entry: Entry }> {
  let index = from;
  for await (const bytes of ledger.entries(from, ledger.size)) {
    yield { index, bytes, entry: decodeEntry(bytes) };
    index += 1;
  }
}
