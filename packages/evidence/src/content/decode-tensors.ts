import { compareBytes, fromUtf8, utf8 } from "../bytes.ts";
import { type CborValue, decodeCborFirst, isCborList } from "../cbor/index.ts";
import { EvidenceError } from "../error.ts";
import { compareMapKeys } from "./encode-tensors.ts";
import { checkRawData, elementCount, invalid, isRawTensorType } from "./tensor-types.ts";
import { maxTensorDepth, type NamedTensor, type TensorMap, type TensorValue } from "./tensors.ts";

/**
 * Decodes what `encodeTensors` writes, and no other form of it. Data are views into `bytes`.
 *
 * @throws EvidenceError `content-invalid` naming the tensor
 */
export function decodeTensors(bytes: Uint8Array): NamedTensor[] {
  const reader = new Reader(bytes);
  const count = reader.u32();
  const tensors: NamedTensor[] = [];
  for (let i = 0; i < count; i += 1) {
    const { name, value } = readItem(reader, `tensor ${i}`, 0);
    const previous = tensors.at(-1)?.name;
    if (name === "") throw invalid(`tensor ${i}`, "the name is empty");
    if (previous !== undefined && compareBytes(utf8(previous), utf8(name)) >= 0) {
      throw invalid(`tensor ${name}`, "it does not come after the one before in the order of names");
    }
    tensors.push(Object.freeze({ name, ...value }));
  }
  reader.end("tensors");
  return tensors;
}

function readItem(reader: Reader, place: string, depth: number): { name: string; value: TensorValue } {
  if (depth > maxTensorDepth) throw invalid(place, `sequences and maps nest deeper than ${maxTensorDepth}`);
  const header = reader.cbor(place);
  const [name, dtype, dims] = isCborList(header) && header.length === 3 ? header : [];
  if (typeof name !== "string" || typeof dtype !== "string" || !isCborList(dims) || !dims.every(isNumber)) {
    throw invalid(place, "expected [name, dtype, dims]");
  }
  const what = name === "" ? place : `tensor ${name}`;
  const data = reader.take(reader.u64(what), what);
  return { name, value: readValue(dtype, dims, data, what, depth) };
}

function readValue(dtype: string, dims: readonly number[], data: Uint8Array, what: string, depth: number): TensorValue {
  if (isRawTensorType(dtype)) {
    checkRawData(dtype, dims, data, what);
    return { dtype, dims, data };
  }
  const count = elementCount(dims, what);
  const reader = new Reader(data);
  if (dtype === "string") {
    const strings: string[] = [];
    for (let i = 0; i < count; i += 1) strings.push(readText(reader, what));
    reader.end(what);
    return { dtype, dims, data: strings };
  }
  if (dtype !== "sequence" && dtype !== "map") throw invalid(what, `type ${dtype} is unknown`);
  if (dims.length !== 1) throw invalid(what, `${dtype} has one dimension, the number of its items`);
  if (dtype === "sequence") {
    const items: TensorValue[] = [];
    for (let i = 0; i < count; i += 1) items.push(readUnnamed(reader, `${what}, item ${i}`, depth + 1));
    reader.end(what);
    return { dtype, items };
  }
  return readMap(reader, count, what, depth);
}

function readMap(reader: Reader, count: number, what: string, depth: number): TensorMap {
  const entries: [key: bigint | string, value: TensorValue][] = [];
  for (let i = 0; i < count; i += 1) {
    const key = mapKey(readUnnamed(reader, `${what}, key ${i}`, depth + 1), what);
    const previous = entries.at(-1)?.[0];
    if (previous !== undefined && (typeof previous !== typeof key || compareMapKeys(previous, key) >= 0)) {
      throw invalid(what, `key ${key} is of another type than the one before, or does not come after it`);
    }
    entries.push([key, readUnnamed(reader, `${what}, key ${key}`, depth + 1)]);
  }
  reader.end(what);
  return { dtype: "map", entries };
}

function mapKey(key: TensorValue, what: string): bigint | string {
  if (key.dtype === "string" && key.dims.length === 0) return key.data[0] ?? "";
  if (key.dtype === "int64" && key.dims.length === 0) return viewOf(key.data).getBigInt64(0, true);
  throw invalid(what, "a key is neither an int64 nor a string");
}

function readUnnamed(reader: Reader, place: string, depth: number): TensorValue {
  const { name, value } = readItem(reader, place, depth);
  if (name !== "") throw invalid(place, "items of sequences and maps have no name");
  return value;
}

function readText(reader: Reader, what: string): string {
  const bytes = reader.take(reader.u32(), what);
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new EvidenceError("content-invalid", `${what}: an element is not UTF-8`, { cause });
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u32(): number {
    return viewOf(this.take(4, "tensors")).getUint32(0);
  }

  u64(what: string): number {
    const value = viewOf(this.take(8, what)).getBigUint64(0);
    if (value > BigInt(this.#bytes.length)) throw invalid(what, "its length runs past the end");
    return Number(value);
  }

  take(length: number, what: string): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw invalid(what, "the bytes end too early");
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  cbor(what: string): CborValue {
    try {
      const { value, end } = decodeCborFirst(this.#bytes, this.#at);
      this.#at = end;
      return value;
    } catch (cause) {
      throw new EvidenceError("content-invalid", `${what}: [name, dtype, dims] cannot be read`, { cause });
    }
  }

  end(what: string): void {
    if (this.#at !== this.#bytes.length) throw invalid(what, `${this.#bytes.length - this.#at} bytes are left over`);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}
