import { compareBytes, utf8 } from "../bytes.ts";
import { encodeCbor } from "../cbor/index.ts";
import { join, u32, u64 } from "./framing.ts";
import { checkRawData, elementCount, invalid } from "./tensor-types.ts";
import { maxTensorDepth, type NamedTensor, type TensorMap, type TensorValue } from "./tensors.ts";

/**
 * Encodes named tensors in their one form (docs/content.md), whatever order they come in:
 *
 *     u32 count, then per tensor, by the UTF-8 bytes of the names:
 *     CBOR [name, dtype, dims]   u64 length   data
 *
 * Both integers are big-endian, as everywhere in Tally; elements are little-endian, as in ONNX.
 *
 * @throws EvidenceError `content-invalid` naming the tensor
 */
export function encodeTensors(tensors: readonly NamedTensor[]): Uint8Array {
  const named = tensors.map((tensor) => ({ tensor, key: nameBytes(tensor.name) }));
  named.sort((a, b) => compareBytes(a.key, b.key));
  const parts = named.map(({ tensor }, i) => {
    if (tensor.name === named[i - 1]?.tensor.name) throw invalid(`tensor ${tensor.name}`, "the name stands twice");
    return encodeItem(tensor.name, tensor, `tensor ${tensor.name}`, 0);
  });
  return join([u32(tensors.length), ...parts]);
}

function encodeItem(name: string, value: TensorValue, what: string, depth: number): Uint8Array {
  if (depth > maxTensorDepth) throw invalid(what, `sequences and maps nest deeper than ${maxTensorDepth}`);
  const { dims, data } = dataOf(value, what, depth);
  return join([encodeCbor([name, value.dtype, dims]), u64(data.length), data]);
}

function dataOf(value: TensorValue, what: string, depth: number): { dims: readonly number[]; data: Uint8Array } {
  switch (value.dtype) {
    case "string":
      return { dims: value.dims, data: stringData(value.dims, value.data, what) };
    case "sequence": {
      const items = value.items.map((item, i) => encodeItem("", item, `${what}, item ${i}`, depth + 1));
      return { dims: [items.length], data: join(items) };
    }
    case "map":
      return { dims: [value.entries.length], data: mapData(value, what, depth) };
    default:
      checkRawData(value.dtype, value.dims, value.data, what);
      return { dims: value.dims, data: value.data };
  }
}

function stringData(dims: readonly number[], strings: readonly string[], what: string): Uint8Array {
  if (elementCount(dims, what) !== strings.length) {
    throw invalid(what, `string of shape [${dims.join(", ")}] does not have ${strings.length} elements`);
  }
  return join(
    strings.flatMap((text) => {
      if (!text.isWellFormed()) throw invalid(what, "an element holds a lone surrogate");
      const bytes = utf8(text);
      return [u32(bytes.length), bytes];
    }),
  );
}

/** Key and value items alternate, in ascending order of the keys. */
function mapData({ entries }: TensorMap, what: string, depth: number): Uint8Array {
  const keyType = typeof entries[0]?.[0];
  if (entries.some(([key]) => typeof key !== keyType)) throw invalid(what, "its keys are of more than one type");
  const sorted = entries.toSorted(([a], [b]) => compareMapKeys(a, b));
  const items = sorted.flatMap(([key, value], i) => {
    if (key === sorted[i - 1]?.[0]) throw invalid(what, `key ${key} stands twice`);
    const place = `${what}, key ${key}`;
    return [encodeItem("", keyTensor(key, place), place, depth + 1), encodeItem("", value, place, depth + 1)];
  });
  return join(items);
}

function keyTensor(key: bigint | string, what: string): TensorValue {
  if (typeof key === "string") return { dtype: "string", dims: [], data: [key] };
  if (BigInt.asIntN(64, key) !== key) throw invalid(what, "the key does not fit into 64 bits");
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigInt64(0, key, true);
  return { dtype: "int64", dims: [], data };
}

/** Integers by value, text by its UTF-8 bytes. */
export function compareMapKeys(a: bigint | string, b: bigint | string): number {
  if (typeof a === "string" && typeof b === "string") return compareBytes(utf8(a), utf8(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

function nameBytes(name: string): Uint8Array {
  if (name === "" || !name.isWellFormed()) throw invalid("tensor", "a name is empty or holds a lone surrogate");
  return utf8(name);
}
