import {
  asLeafHash,
  EvidenceError,
  fromBase64,
  fromHex,
  type JsonValue,
  type RecordReference,
  toHex,
} from "@tally/evidence";
import type { Content } from "../content.ts";
import { EdgeError } from "../error.ts";
import { asCount, asList, asObject, asText } from "../folder/json.ts";
import type { OutputTensor } from "../runtime/onnx-session.ts";
import { namedTensors, type OnnxTensor, wireTensors } from "../runtime/tensors.ts";
import { renderNumber } from "../segments/render-content.ts";

const code = "request-invalid";

/** Tensors by name, each `{"dtype","dims","data"}` with its elements in one flat list. 64-bit integers may be strings. */
export function readTensors(value: unknown, what: string): Record<string, OnnxTensor> {
  const entries = Object.entries(asObject(value, what, code)).map(([name, item]): [string, OnnxTensor] => {
    const place = `${what}.${name}`;
    const { dtype, dims, data } = asObject(item, place, code);
    return [
      name,
      {
        type: asText(dtype, `${place}.dtype`, code),
        dims: asList(dims, `${place}.dims`, code).map((dim) => asCount(dim, `${place}.dims`, code)),
        data: asList(data, `${place}.data`, code).map((element) =>
          readElement(element, dtype, place),
        ) as OnnxTensor["data"],
      },
    ];
  });
  return Object.fromEntries(entries);
}

export function writeTensors(tensors: Readonly<Record<string, OutputTensor>>): object {
  const entries = Object.entries(tensors).map(([name, { type, dims, data }]) => [
    name,
    { dtype: type, dims, data: Array.from(data as Iterable<number | bigint | string>, renderNumber) },
  ]);
  return Object.fromEntries(entries);
}

/** `{"text"}`, `{"json"}`, `{"tensors"}`, or `{"mediaType","base64"}`. */
export function readContent(value: unknown, what: string): Content {
  const content = asObject(value, what, code);
  const [name, ...others] = Object.keys(content).filter((key) => key !== "mediaType");
  if (others.length === 0 && name === "text") return { text: String(asTextOrEmpty(content.text, what)) };
  if (others.length === 0 && name === "json") return { json: content.json as JsonValue };
  if (others.length === 0 && name === "tensors") {
    return { tensors: namedTensors(wireTensors(readTensors(content.tensors, `${what}.tensors`))) };
  }
  if (others.length === 0 && name === "base64") {
    const mediaType = asText(content.mediaType, `${what}.mediaType`, code);
    return { mediaType, bytes: strictly(what, () => fromBase64(asTextOrEmpty(content.base64, what))) };
  }
  throw new EdgeError(code, `${what} is none of text, json, tensors, or mediaType with base64`);
}

/** `{"origin","index","leaf"}` with the leaf hash in hex. */
export function readReference(value: unknown, what: string): RecordReference {
  const { origin, index, leaf } = asObject(value, what, code);
  return {
    origin: asText(origin, `${what}.origin`, code),
    index: asCount(index, `${what}.index`, code),
    leaf: strictly(`${what}.leaf`, () => asLeafHash(fromHex(asText(leaf, `${what}.leaf`, code)))),
  };
}

export function writeReference({ origin, index, leaf }: RecordReference): object {
  return { origin, index, leaf: toHex(leaf) };
}

function readElement(element: unknown, dtype: unknown, what: string): unknown {
  if (typeof element === "number" || typeof element === "boolean") return element;
  if (typeof element === "string") {
    if (dtype === "string") return element;
    if (/^-?\d+$/.test(element)) return BigInt(element);
    if (/^(NaN|-?Infinity)$/.test(element)) return Number(element);
  }
  throw new EdgeError(code, `${what}.data holds ${JSON.stringify(element)}, which is no element of ${String(dtype)}`);
}

function asTextOrEmpty(value: unknown, what: string): string {
  return value === "" ? "" : asText(value, what, code);
}

function strictly<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new EdgeError(code, `${what}: ${cause.message}`, { cause });
  }
}
