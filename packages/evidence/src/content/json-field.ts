import { utf8 } from "../bytes.ts";
import { type Digest, isDigest, parseDigest } from "../digest.ts";
import { EvidenceError, type EvidenceErrorCode } from "../error.ts";
import type { JsonObject, JsonValue } from "./i-json.ts";

/**
 * Reads typed values out of parsed JSON and names the place in the error: `predicate.files[0].size: expected …`.
 * Unknown names are left alone unless `only` is called. All readers throw EvidenceError with the code given.
 */
export class JsonField {
  readonly value: JsonValue | undefined;
  readonly place: string;
  readonly #code: EvidenceErrorCode;

  constructor(value: JsonValue | undefined, place: string, code: EvidenceErrorCode) {
    this.value = value;
    this.place = place;
    this.#code = code;
  }

  /** The member of that name; reading it fails if it is absent, unless through `optional`. */
  at(name: string): JsonField {
    const object = this.object();
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    return new JsonField(value, this.place === "" ? name : `${this.place}.${name}`, this.#code);
  }

  /** Refuses members other than these. */
  only(...names: readonly string[]): this {
    for (const name of Object.keys(this.object())) {
      if (!names.includes(name)) throw this.at(name).fail(`unknown name; known are ${names.join(", ")}`);
    }
    return this;
  }

  optional<T>(read: (field: JsonField) => T): T | undefined {
    return this.value === undefined ? undefined : read(this);
  }

  /** `{ [name]: value }`, or `{}` where the member is absent: to be spread into a typed value. */
  maybe<Name extends string, T>(name: Name, read: (field: JsonField) => T): { [K in Name]?: T } {
    return given(name, this.at(name).optional(read));
  }

  object(): JsonObject {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.wrong("an object");
    return value as JsonObject;
  }

  list<T>(read: (item: JsonField) => T): readonly T[] {
    const { value } = this;
    if (!Array.isArray(value)) throw this.wrong("a list");
    return Object.freeze(
      value.map((item: JsonValue, i) => read(new JsonField(item, `${this.place}[${i}]`, this.#code))),
    );
  }

  nonEmptyList<T>(read: (item: JsonField) => T): readonly T[] {
    const items = this.list(read);
    if (items.length === 0) throw this.wrong("a list of at least one item");
    return items;
  }

  text(maxBytes = 65_535): string {
    const { value } = this;
    if (typeof value !== "string" || value === "") throw this.wrong("text");
    if (utf8(value).length > maxBytes) throw this.wrong(`text of at most ${maxBytes} bytes`);
    return value;
  }

  uint(): number {
    const { value } = this;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw this.wrong("an unsigned integer");
    return value;
  }

  number(): number {
    const { value } = this;
    if (typeof value !== "number") throw this.wrong("a number");
    return value;
  }

  bool(): boolean {
    const { value } = this;
    if (typeof value !== "boolean") throw this.wrong("true or false");
    return value;
  }

  oneOf<const Names extends readonly string[]>(...names: Names): Names[number] {
    const { value } = this;
    if (typeof value !== "string" || !names.includes(value)) throw this.wrong(`one of ${names.join(", ")}`);
    return value;
  }

  /** `sha256:<64 lowercase hex>` */
  digest(): Digest {
    return this.#parse(() => parseDigest(this.text()));
  }

  /** 64 lowercase hex digits, as in an in-toto DigestSet. */
  sha256Hex(): Digest {
    const digest = `sha256:${this.text()}`;
    if (!isDigest(digest)) throw this.wrong("64 lowercase hex digits of a SHA-256");
    return digest;
  }

  /** Runs a parser over the field and puts the place before its message. */
  parse<T>(read: (text: string) => T, maxBytes?: number): T {
    const text = this.text(maxBytes);
    return this.#parse(() => read(text));
  }

  wrong(expected: string): EvidenceError {
    return this.fail(`expected ${expected}, found ${describe(this.value)}`);
  }

  fail(why: string, cause?: unknown): EvidenceError {
    const message = this.place === "" ? why : `${this.place}: ${why}`;
    return new EvidenceError(this.#code, message, cause === undefined ? {} : { cause });
  }

  #parse<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw this.fail(cause instanceof Error ? cause.message : String(cause), cause);
    }
  }
}

/** Leaves a property out where there is nothing to hold. */
export function given<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}

function describe(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return value.length > 60 ? `"${value.slice(0, 60)}…"` : JSON.stringify(value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
