import {
  decodeJson,
  decodeTensors,
  decodeText,
  EvidenceError,
  type JsonObject,
  type JsonValue,
  mediaTypes,
  type NamedTensor,
  toBase64,
} from "@tally/evidence";
import { tensorValues } from "../runtime/tensor-values.ts";
import { elementsOf } from "../runtime/tensors.ts";

/**
 * How 16-bit floating point is shown. Segments that were packed before it was shown as numbers have the bits of float16 as integers, and
 * bfloat16 in base64.
 */
export type Halves = "numbers" | "bits";

/**
 * Content as rows show it. Text is a string and JSON is itself; a tensor becomes `{"type","dims","data"}` under its name;
 * anything else, and what is not what its media type says, is `{"mediaType","base64"}`. Numbers are exact: integers beyond ±(2^53 − 1) and what JSON cannot carry
 * (NaN, infinities) are written as strings. The same bytes always give the same value.
 */
export function renderContent(mediaType: string, bytes: Uint8Array, halves: Halves = "numbers"): JsonValue {
  try {
    return renderKnown(mediaType, bytes, halves) ?? renderOpaque(mediaType, bytes);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return renderOpaque(mediaType, bytes);
  }
}

function renderOpaque(mediaType: string, bytes: Uint8Array): JsonValue {
  return { mediaType, base64: toBase64(bytes) };
}

function renderKnown(mediaType: string, bytes: Uint8Array, halves: Halves): JsonValue | undefined {
  switch (mediaType) {
    case mediaTypes.text:
      return decodeText(bytes);
    case mediaTypes.json:
      return decodeJson(bytes);
    case mediaTypes.tensors:
      return Object.fromEntries(decodeTensors(bytes).map((tensor) => [tensor.name, renderTensor(tensor, halves)]));
    default:
      return undefined;
  }
}

/** A number as JSON carries it without loss. */
export function renderNumber(value: number | bigint | string): JsonValue {
  if (typeof value === "string") return value;
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  return Number.isFinite(value) ? value : String(value);
}

function renderTensor(tensor: NamedTensor, halves: Halves): JsonObject {
  const elements = halves === "bits" ? elementsOf(tensor) : tensorValues(tensor);
  if (elements === undefined) {
    const { dtype } = tensor;
    return "data" in tensor && tensor.data instanceof Uint8Array
      ? { type: dtype, dims: tensor.dims, base64: toBase64(tensor.data) }
      : { type: dtype };
  }
  const data = Array.from(elements.data as Iterable<number | bigint | string>, renderNumber);
  return { type: elements.type, dims: elements.dims, data };
}
