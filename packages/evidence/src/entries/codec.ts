import { type CborMap, type CborValue, decodeCbor, encodeCbor, isCborMap } from "../cbor/index.ts";
import { EvidenceError } from "../error.ts";
import { type Entry, kindByCode, kindByName, type UnderstoodEntry } from "./entry.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { Field, fieldsOf } from "./fields.ts";
import { decodePlainInference, encodePlainInference } from "./plain-inference.ts";

/** C2SP tlog-tiles gives an entry a u16 length. */
export const maxEntryBytes = 65_535;

/**
 * Encodes an entry as `docs/entries.cddl` defines it, in deterministic CBOR.
 *
 * @throws EvidenceError `entry-too-large` above 65,535 bytes, `entry-invalid` for what `decodeEntry` would refuse.
 */
export function encodeEntry(entry: Entry): Uint8Array {
  const plain = entry.kind === "inference" ? encodePlainInference(entry) : undefined;
  if (plain !== undefined) return plain;
  const bytes = encodeCbor(mapOfEntry(entry));
  if (bytes.length > maxEntryBytes) {
    const message = `${entry.kind} entry has ${bytes.length} bytes; an entry holds at most ${maxEntryBytes}`;
    throw new EvidenceError("entry-too-large", message, { hint: "store long lists as blobs and name their digest" });
  }
  return bytes;
}

/**
 * Decodes an entry into a frozen, typed value. Unknown keys ≥ 0 are left out of it: hash the original bytes, never what
 * this value encodes to. Unknown kinds and unknown negative keys give an entry of kind `not-understood`.
 *
 * @throws EvidenceError `cbor-invalid`, `entry-too-large`, or `entry-invalid` naming the key that is wrong.
 */
export function decodeEntry(bytes: Uint8Array): Entry {
  if (bytes.length > maxEntryBytes) {
    throw new EvidenceError("entry-too-large", `an entry holds at most ${maxEntryBytes} bytes, not ${bytes.length}`);
  }
  return decodePlainInference(bytes) ?? entryOf(decodeCbor(bytes));
}

/** The entry that a CBOR value stands for. @throws EvidenceError `entry-invalid` */
export function entryOf(map: CborValue): Entry {
  if (!isCborMap(map)) throw new EvidenceError("entry-invalid", "an entry is a CBOR map");
  const code = new Field(map.get(0), () => "entry: key 0 (kind)").uint();
  const critical = criticalKey(map);
  if (critical !== undefined) return notUnderstood(code, map, `critical key ${critical} is unknown`);
  const kind = kindByCode(code);
  if (kind === undefined) return notUnderstood(code, map, `kind ${code} is unknown`);
  return parse(kind, map);
}

/** The entry as a CBOR map. @throws EvidenceError `entry-invalid` for what `decodeEntry` would refuse. */
export function mapOfEntry(entry: Entry): CborMap {
  if (entry.kind === "not-understood") return entry.map;
  const kind = kindByName(entry.kind);
  if (kind === undefined) throw new EvidenceError("entry-invalid", `no kind of entry is called ${entry.kind}`);
  const map = new Map<number, CborValue>([
    [0, kind.code],
    [1, entry.time],
  ]);
  for (const [key, value] of kind.write(entry)) if (value !== undefined) map.set(key, value);
  parse(kind, map);
  return map;
}

function parse(kind: EntryKind<EntryBase<string>>, map: CborMap): UnderstoodEntry {
  const field = fieldsOf(map, `${kind.name} entry`);
  const entry = { kind: kind.name, time: field(1, "time").uint(), ...kind.read(field) };
  return Object.freeze(entry) as UnderstoodEntry;
}

/** The first negative key of the entry; version 1 defines none. Text keys have no meaning in an entry. */
function criticalKey(map: CborMap): number | undefined {
  let critical: number | undefined;
  for (const key of map.keys()) {
    if (typeof key !== "number") throw new EvidenceError("entry-invalid", `entry: key "${key}" is not an integer`);
    if (key < 0) critical ??= key;
  }
  return critical;
}

function notUnderstood(code: number, map: CborMap, reason: string): Entry {
  return Object.freeze({ kind: "not-understood", code, reason, map });
}
