import canonicalize from "canonicalize";
import { fromUtf8, utf8 } from "../bytes.ts";
import { EvidenceError, type EvidenceErrorCode } from "../error.ts";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/**
 * Parses JSON text that every reader understands alike (I-JSON, RFC 7493): UTF-8, no name twice in an object, no lone
 * surrogate, no number beyond a double's range, no integer that a double rounds.
 *
 * @throws EvidenceError with `code` (default `content-invalid`)
 */
export function parseJson(source: Uint8Array | string, code: EvidenceErrorCode = "content-invalid"): JsonValue {
  try {
    const text = typeof source === "string" ? source : fromUtf8(source);
    const value = JSON.parse(text) as JsonValue;
    assertInteroperable(text);
    return value;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EvidenceError(code, `not interoperable JSON: ${why}`, { cause });
  }
}

/**
 * The canonical form of a JSON value (RFC 8785), as UTF-8 bytes: one value, one spelling.
 *
 * @throws EvidenceError `content-invalid` for what is not plain JSON data: undefined, NaN, infinities, lone surrogates,
 *   objects other than plain ones
 */
export function encodeJson(value: JsonValue): Uint8Array {
  assertPlain(value, []);
  return utf8(canonicalize(value) as string);
}

// A text that JSON.parse accepted consists of these tokens; whitespace, commas and colons lie between them.
const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]|-?[0-9][0-9.eE+-]*/gsu;

/** Checks what JSON.parse lets through. `text` is known to be JSON. */
function assertInteroperable(text: string): void {
  const open: Set<string>[] = [];
  for (const match of text.matchAll(token)) {
    const [word, colon] = match;
    const first = word[0];
    if (first === "{" || first === "[") open.push(new Set());
    else if (first === "}" || first === "]") open.pop();
    else if (first === '"') {
      const string = JSON.parse(colon === undefined ? word : word.slice(0, -colon.length)) as string;
      if (!string.isWellFormed()) throw new Error("a string holds a lone surrogate");
      if (colon !== undefined) addName(open.at(-1), string);
    } else assertNumber(word);
  }
}

function addName(names: Set<string> | undefined, name: string): void {
  if (names?.has(name)) throw new Error(`the name ${JSON.stringify(name)} stands twice in one object`);
  names?.add(name);
}

function assertNumber(literal: string): void {
  const number = Number(literal);
  if (!Number.isFinite(number)) throw new Error(`${literal} is no finite number`);
  if (/^-?[0-9]+$/.test(literal) && !Number.isSafeInteger(number) && String(number) !== literal) {
    throw new Error(`a double cannot carry ${literal}; write it as a string`);
  }
}

function assertPlain(value: unknown, path: readonly (string | number)[]): void {
  if (value === null || typeof value === "boolean") return;
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw notPlain(path, "text with a lone surrogate");
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) throw notPlain(path, String(value));
  } else if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) assertPlain(value[i], [...path, i]);
  } else if (typeof value === "object" && isPlainObject(value)) {
    for (const [name, item] of Object.entries(value)) {
      if (!name.isWellFormed()) throw notPlain(path, "a name with a lone surrogate");
      assertPlain(item, [...path, name]);
    }
  } else {
    throw notPlain(path, typeof value === "object" ? "an object that is not plain data" : typeof value);
  }
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && typeof Reflect.get(value, "toJSON") !== "function";
}

function notPlain(path: readonly (string | number)[], what: string): EvidenceError {
  const place = path.length === 0 ? "the value" : path.join(".");
  return new EvidenceError("content-invalid", `${place} is ${what}, which JSON cannot carry`);
}
