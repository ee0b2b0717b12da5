import { toHex, utf8 } from "../bytes.ts";
import { type CborMap, type CborValue, isCborList, isCborMap } from "../cbor/index.ts";
import { asHash, asLeafHash, asRootHash, type Digest, digestFromHash, type Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";

/**
 * Reads values out of decoded CBOR and names the place in the error: `load entry: key 3 (files), item 0 (size): …`.
 * All readers throw EvidenceError `entry-invalid`.
 */
export class Field {
  readonly #value: CborValue | undefined;
  /** Asked for in errors only: to name each place beforehand cost half of reading an entry (measured). */
  readonly #place: () => string;

  constructor(value: CborValue | undefined, place: () => string) {
    this.#value = value;
    this.#place = place;
  }

  /** Undefined for an absent key, else what `read` makes of it. */
  optional<T>(read: (field: Field) => T): T | undefined {
    return this.#value === undefined ? undefined : read(this);
  }

  nullable<T>(read: (field: Field) => T): T | null {
    return this.#value === null ? null : read(this);
  }

  uint(): number {
    if (typeof this.#value !== "number" || this.#value < 0) throw this.wrong("an unsigned integer");
    return this.#value;
  }

  bool(): boolean {
    if (typeof this.#value !== "boolean") throw this.wrong("true or false");
    return this.#value;
  }

  text(maxBytes = 255): string {
    const value = this.#value;
    if (typeof value !== "string" || value === "") throw this.wrong("text");
    if (utf8(value).length > maxBytes) throw this.wrong(`text of at most ${maxBytes} bytes`);
    return value;
  }

  /** The name of a log or of the plane: at most 255 bytes, no white space, no control character, no plus sign. */
  origin(): string {
    const value = this.text(255);
    if (/[\p{White_Space}\p{Cc}+]/u.test(value)) throw this.wrong("a name without white space and plus signs");
    return value;
  }

  bytes(min: number, max = min): Uint8Array {
    const value = this.#value;
    if (!(value instanceof Uint8Array) || value.length < min || value.length > max) {
      throw this.wrong(min === max ? `${min} bytes` : `${min} to ${max} bytes`);
    }
    return value;
  }

  hex(min: number, max = min): string {
    return toHex(this.bytes(min, max));
  }

  hash(): Hash {
    return asHash(this.bytes(32));
  }

  leafHash() {
    return asLeafHash(this.bytes(32));
  }

  rootHash() {
    return asRootHash(this.bytes(32));
  }

  digest(): Digest {
    return digestFromHash(this.hash());
  }

  isBytes(): boolean {
    return this.#value instanceof Uint8Array;
  }

  isUint(): boolean {
    return typeof this.#value === "number" && this.#value >= 0;
  }

  oneOf<const Names extends readonly string[]>(names: Names): Names[number] {
    const name = names[this.uint()];
    if (name === undefined) throw this.wrong(`one of ${names.map((n, i) => `${i} ${n}`).join(", ")}`);
    return name;
  }

  /** A list of at most `max` items. */
  list<T>(read: (item: Field) => T, max: number): readonly T[] {
    if (!isCborList(this.#value)) throw this.wrong("a list");
    if (this.#value.length > max) throw this.wrong(`a list of at most ${max} items`);
    return Object.freeze(this.#value.map((item, i) => read(new Field(item, () => `${this.#place()}, item ${i}`))));
  }

  /** A list of exactly the named items. */
  tuple(...names: string[]): Field[] {
    const value = this.#value;
    if (!isCborList(value) || value.length !== names.length) throw this.wrong(`[${names.join(", ")}]`);
    return names.map((name, i) => new Field(value[i], () => `${this.#place()} ${name}`));
  }

  /** A map whose keys are unsigned integers; values are kept as they are. */
  codes(): ReadonlyMap<number, CborValue> {
    if (!isCborMap(this.#value)) throw this.wrong("a map");
    const codes = new Map<number, CborValue>();
    for (const [code, value] of this.#value) {
      if (typeof code !== "number" || code < 0) throw this.wrong("a map keyed by unsigned integers");
      codes.set(code, value);
    }
    return codes;
  }

  wrong(expected: string): EvidenceError {
    const found = this.#value === undefined ? "nothing" : describe(this.#value);
    return new EvidenceError("entry-invalid", `${this.#place()}: expected ${expected}, found ${found}`);
  }
}

/** The reader for the map of one entry: `field(3, "files")`. */
export type FieldOf = (key: number, name: string) => Field;

export function fieldsOf(map: CborMap, what: string): FieldOf {
  return (key, name) => new Field(map.get(key), () => `${what}: key ${key} (${name})`);
}

function describe(value: CborValue): string {
  if (typeof value === "string") return value === "" ? "empty text" : `text of ${value.length} characters`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (isCborList(value)) return `a list of ${value.length}`;
  if (isCborMap(value)) return "a map";
  return String(value);
}
