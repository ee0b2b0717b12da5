import type { RawTensorType } from "./tensor-types.ts";

/** Numbers and booleans, as the little-endian bytes of the elements in row-major order; 4-bit types packed. */
export interface RawTensor {
  readonly dtype: RawTensorType;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** Text, in row-major order. */
export interface StringTensor {
  readonly dtype: "string";
  readonly dims: readonly number[];
  readonly data: readonly string[];
}

/** ONNX's sequence: values in their order. */
export interface TensorSequence {
  readonly dtype: "sequence";
  readonly items: readonly TensorValue[];
}

/** ONNX's map, keyed by int64 (as bigint) or by string, not both. */
export interface TensorMap {
  readonly dtype: "map";
  readonly entries: readonly (readonly [key: bigint | string, value: TensorValue])[];
}

export type TensorValue = RawTensor | StringTensor | TensorSequence | TensorMap;

/** One named input or output of a model. */
export type NamedTensor = { readonly name: string } & TensorValue;

/** How deep sequences and maps may nest. */
export const maxTensorDepth = 8;

/** The bytes of a typed array in little-endian order, whatever the machine's order is. NaN bits are kept. */
export function littleEndianBytes(view: ArrayBufferView): Uint8Array {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const width = (view as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  if (isLittleEndian || width === 1) return bytes;
  const swapped = bytes.slice();
  for (let at = 0; at < swapped.length; at += width) swapped.subarray(at, at + width).reverse();
  return swapped;
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
