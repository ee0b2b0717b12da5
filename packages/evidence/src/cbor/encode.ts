import { type CborMap, type CborValue, invalid, isCborList, isCborMap, maxCborDepth, tooDeep } from "./value.ts";
import { begin, finish, position, put, takeBack, writeBytes, writeHead, writeInteger, writeText } from "./writer.ts";

// Written by hand, since a record is encoded for every output that a model gives: a tenth of the time of the library,
// which the tests hold it against, byte for byte (measured).

/**
 * Encodes by the core deterministic rules of RFC 8949, 4.2.1: shortest integers and lengths, definite lengths, map keys
 * in the byte order of their encodings. The same value has the same bytes everywhere.
 *
 * @throws EvidenceError `cbor-invalid` for what has no place in Tally's CBOR (see `CborValue`).
 */
export function encodeCbor(value: CborValue): Uint8Array {
  begin();
  writeValue(value, 0);
  return finish();
}

function writeValue(value: CborValue, depth: number): void {
  if (typeof value === "number") writeInteger(value);
  else if (value instanceof Uint8Array) writeBytes(value);
  else if (typeof value === "string") writeText(value);
  else if (value === null) writeHead(7, 22);
  else if (typeof value === "boolean") writeHead(7, value ? 21 : 20);
  else if (depth >= maxCborDepth) throw tooDeep();
  else if (isCborList(value)) {
    writeHead(4, value.length);
    for (const item of value) writeValue(item, depth + 1);
  } else if (isCborMap(value)) writeMap(value, depth);
  else throw invalid(`a value of type ${typeof value} has no place in Tally's CBOR`);
}

function writeMap(map: CborMap, depth: number): void {
  writeHead(5, map.size);
  if (isAscending(map)) {
    for (const [key, value] of map) {
      writeInteger(key as number);
      writeValue(value, depth + 1);
    }
    return;
  }
  const start = position();
  const entries = [...map].map(([key, value]) => {
    if (typeof key === "string") writeText(key);
    else writeInteger(key);
    return { key: takeBack(start), value };
  });
  entries.sort((a, b) => compareKeys(a.key, b.key));
  for (const { key, value } of entries) {
    put(key);
    writeValue(value, depth + 1);
  }
}

/** Whether the keys are unsigned integers that stand in order already, as those of entries do. */
function isAscending(map: CborMap): boolean {
  let last: number | string = -1;
  for (const key of map.keys()) {
    if (typeof key !== "number" || !(key > (last as number))) return false;
    last = key;
  }
  return true;
}

/** Two encoded keys differ before either ends: none is a prefix of another. */
function compareKeys(a: Uint8Array, b: Uint8Array): number {
  let i = 0;
  while (a[i] === b[i]) i += 1;
  return a[i]! - b[i]!;
}
