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
import { elementsOf } from "../runtime/tensors.ts";

/**
 * Content as rows show it. Text is a string and JSON is itself; a tensor becomes `{"type","dims","data"}` under its name;
 * anything else, and what is not what its media type says, is `{"mediaType","base64"}`. Numbers are exact: integers beyond ±(2^53 − 1) and what JSON cannot carry
 * (NaN, infinities) are written as strings. The same bytes always give the same value.
 */
export function renderContent(mediaType: string, bytes: Uint8Array): JsonValue {
  try {
    return renderKnown(mediaType, bytes) ?? renderOpaque(mediaType, bytes);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return renderOpaque(mediaType, bytes);
  }
}

function renderOpaque(mediaType: string, bytes: Uint8Array): JsonValue {
  return { mediaType, base64: toBase64(bytes) };
}

function renderKnown(mediaType: string, bytes: Uint8Array): JsonValue | undefined {
  switch (mediaType) {
    case mediaTypes.text:
      return decodeText(bytes);
    case mediaTypes.json:
      return decodeJson(bytes);
    case mediaTypes.tensors:
      return Object.fromEntries(decodeTensors(bytes).map((tensor) => [tensor.name, renderTensor(tensor)]));
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

function renderTensor(tensor: NamedTensor): JsonObject {
  const elements = elementsOf(tensor);
  if (elements === undefined) {
    const { dtype } = tensor;
    return "data" in tensor && tensor.data instanceof Uint8Array
      ? { type: dtype, dims: tensor.dims, base64: toBase64(tensor.data) }
      : { type: dtype };
  }
  const data = Array.from(elements.data as Iterable<number | bigint | string>, renderNumber);
  return { type: elements.type, dims: elements.dims, data };
}
