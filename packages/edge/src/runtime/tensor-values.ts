import type { NamedTensor } from "@tally/evidence";
import { elementsOf } from "./tensors.ts";

/** A tensor's elements as the numbers and texts that they are. */
export interface TensorValues {
  /** ONNX Runtime's name of the element type; `bfloat16`, which it does not run with from here, as ONNX calls it. */
  readonly type: string;
  readonly dims: readonly number[];
  /** Row-major. 16-bit floating point is exact: each of its values is a float32's. */
  readonly data: readonly (number | bigint | string)[];
}

/** Reads recorded bytes; undefined for types that have no numbers here, such as 8-bit floating point and complex numbers. */
export function tensorValues(tensor: NamedTensor): TensorValues | undefined {
  const { dtype } = tensor;
  if (dtype === "float16" || dtype === "bfloat16") {
    const read = dtype === "float16" ? float16 : bfloat16;
    const { dims, data } = tensor as Extract<NamedTensor, { readonly data: Uint8Array }>;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return { type: dtype, dims, data: Array.from({ length: data.length / 2 }, (_, i) => read(view, 2 * i)) };
  }
  const elements = elementsOf(tensor);
  if (elements === undefined) return undefined;
  const { type, dims, data } = elements;
  return { type, dims, data: Array.from(data as Iterable<number | bigint | string>) };
}

/** IEEE 754 binary16. */
function float16(view: DataView, at: number): number {
  return view.getFloat16(at, true);
}

/** The upper half of an IEEE 754 binary32. */
function bfloat16(view: DataView, at: number): number {
  const whole = new DataView(new ArrayBuffer(4));
  whole.setUint16(0, view.getUint16(at, true));
  return whole.getFloat32(0);
}
