import { EvidenceError } from "../error.ts";

/**
 * Bits per element of every type that is written as raw bytes, under the lower-case name of ONNX's TensorProto.DataType
 * (`float` is 32 bits, `double` 64).
 */
export const tensorTypeBits = {
  float: 32,
  double: 64,
  float16: 16,
  bfloat16: 16,
  float8e4m3fn: 8,
  float8e4m3fnuz: 8,
  float8e5m2: 8,
  float8e5m2fnuz: 8,
  float8e8m0: 8,
  float4e2m1: 4,
  int8: 8,
  int16: 16,
  int32: 32,
  int64: 64,
  int4: 4,
  uint8: 8,
  uint16: 16,
  uint32: 32,
  uint64: 64,
  uint4: 4,
  bool: 8,
  complex64: 64,
  complex128: 128,
} as const;

export type RawTensorType = keyof typeof tensorTypeBits;

export function isRawTensorType(name: string): name is RawTensorType {
  return Object.hasOwn(tensorTypeBits, name);
}

/** How many elements a shape has; a scalar, [], has one. @throws EvidenceError `content-invalid` */
export function elementCount(dims: readonly number[], what: string): number {
  let count = 1;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) throw invalid(what, `dimension ${dim} is not an unsigned integer`);
    count *= dim;
  }
  if (!Number.isSafeInteger(count)) throw invalid(what, `shape [${dims.join(", ")}] has too many elements`);
  return count;
}

/** Checks length, booleans and padding: each value has one form. @throws EvidenceError `content-invalid` */
export function checkRawData(dtype: RawTensorType, dims: readonly number[], data: Uint8Array, what: string): void {
  const count = elementCount(dims, what);
  const bits = tensorTypeBits[dtype];
  const expected = Math.ceil((count * bits) / 8);
  if (data.length !== expected) {
    throw invalid(what, `${dtype} of shape [${dims.join(", ")}] has ${expected} bytes, not ${data.length}`);
  }
  if (dtype === "bool" && data.some((byte) => byte > 1)) throw invalid(what, "a boolean is neither 0 nor 1");
  if (bits === 4 && count % 2 === 1 && (data.at(-1) ?? 0) > 0x0f) {
    throw invalid(what, "the unused half of the last byte is not 0");
  }
}

export function invalid(what: string, why: string): EvidenceError {
  return new EvidenceError("content-invalid", `${what}: ${why}`);
}
