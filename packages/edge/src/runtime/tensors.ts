import { littleEndianBytes, type NamedTensor, type RawTensorType, tensorTypeBits } from "@tally/evidence";
import { EdgeError } from "../error.ts";
import type { TensorData, WireTensor } from "./onnx-protocol.ts";

/** A tensor as callers give and get it: a Tensor of ONNX Runtime has this shape. */
export interface OnnxTensor {
  /** ONNX Runtime's name of the element type, such as `float32`; ONNX's own, `float`, is understood too. */
  readonly type: string;
  readonly dims: readonly number[];
  /** Row-major. A plain list of numbers is converted to the type's array. */
  readonly data: TensorData | readonly (number | bigint | boolean)[];
}

type NumberArray = Exclude<TensorData, readonly string[]>;
type NumberArrayType = { readonly BYTES_PER_ELEMENT: number; from(values: Iterable<never>): NumberArray };

/** ONNX Runtime's element types: ONNX's name for each, and the array that holds it. */
const elementTypes: Readonly<Record<string, readonly [onnx: RawTensorType, array: NumberArrayType]>> = {
  float32: ["float", Float32Array],
  float64: ["double", Float64Array],
  // As bits: not every release of ONNX Runtime knows Float16Array.
  float16: ["float16", Uint16Array],
  bool: ["bool", Uint8Array],
  uint8: ["uint8", Uint8Array],
  int8: ["int8", Int8Array],
  uint16: ["uint16", Uint16Array],
  int16: ["int16", Int16Array],
  uint32: ["uint32", Uint32Array],
  int32: ["int32", Int32Array],
  uint64: ["uint64", BigUint64Array as unknown as NumberArrayType],
  int64: ["int64", BigInt64Array as unknown as NumberArrayType],
  uint4: ["uint4", Uint8Array],
  int4: ["int4", Int8Array],
};

/**
 * Takes a snapshot of the feeds for the thread that runs the model.
 *
 * @throws EdgeError `content-invalid` naming the tensor whose type, shape or data does not fit.
 */
export function wireTensors(feeds: Readonly<Record<string, OnnxTensor>>): WireTensor[] {
  return Object.entries(feeds).map(([name, { type, dims, data }]) => {
    const known = type === "float" ? "float32" : type === "double" ? "float64" : type;
    const count = dims.reduce((product, dim) => product * checkedDim(name, dim), 1);
    const wire = {
      name,
      type: known,
      dims: [...dims],
      data: known === "string" ? texts(name, data) : numbers(name, known, data),
    };
    const expected = known.endsWith("int4") ? Math.ceil(count / 2) : count;
    if (wire.data.length !== expected) {
      throw wrong(name, `shape [${dims.join(", ")}] needs ${expected} elements, there are ${wire.data.length}`);
    }
    return wire;
  });
}

/** The tensors as records commit to them. */
export function namedTensors(tensors: readonly WireTensor[]): NamedTensor[] {
  return tensors.map(({ name, type, dims, data }): NamedTensor => {
    if (type === "string") return { name, dtype: "string", dims, data: data as readonly string[] };
    const element = elementTypes[type];
    if (element === undefined || !ArrayBuffer.isView(data)) throw wrong(name, `type ${type} cannot be recorded`);
    return { name, dtype: element[0], dims, data: littleEndianBytes(data) };
  });
}

/** ONNX Runtime's name and array for recorded bytes; undefined for types that it does not run with. */
export function elementsOf(tensor: NamedTensor): OnnxTensor | undefined {
  if (tensor.dtype === "string") return { type: "string", dims: tensor.dims, data: tensor.data };
  if (tensor.dtype === "sequence" || tensor.dtype === "map") return undefined;
  const found = Object.entries(elementTypes).find(([, [onnx]]) => onnx === tensor.dtype);
  if (found === undefined) return undefined;
  const [type, [, array]] = found;
  const aligned = tensor.data.slice();
  const Elements = array as unknown as new (buffer: ArrayBuffer, at: number, length: number) => NumberArray;
  const width = Math.max(1, tensorTypeBits[tensor.dtype] / 8);
  return { type, dims: tensor.dims, data: new Elements(aligned.buffer, 0, aligned.length / width) };
}

function numbers(name: string, type: string, data: OnnxTensor["data"]): TensorData {
  const element = elementTypes[type];
  if (element === undefined) throw wrong(name, `type ${type} is not known`);
  const [, array] = element;
  if (ArrayBuffer.isView(data)) {
    if ((data as NumberArray).BYTES_PER_ELEMENT !== array.BYTES_PER_ELEMENT) {
      throw wrong(name, `type ${type} has ${array.BYTES_PER_ELEMENT} bytes an element, the array has another width`);
    }
    return data;
  }
  const isBig = type === "int64" || type === "uint64";
  try {
    const list = data as readonly (number | bigint | boolean)[];
    const values = isBig ? list.map((value) => BigInt(value)) : list.map((value) => Number(value));
    return array.from(values as never);
  } catch (cause) {
    throw wrong(name, `its data are no ${type} elements`, cause);
  }
}

function texts(name: string, data: OnnxTensor["data"]): readonly string[] {
  if (Array.isArray(data) && data.every((item) => typeof item === "string")) return data;
  throw wrong(name, "type string needs a list of text");
}

function checkedDim(name: string, dim: number): number {
  if (Number.isSafeInteger(dim) && dim >= 0) return dim;
  throw wrong(name, `dimension ${dim} is no unsigned integer`);
}

function wrong(name: string, why: string, cause?: unknown): EdgeError {
  return new EdgeError("content-invalid", `tensor ${name}: ${why}`, { cause });
}
