import type { JsonValue } from "@tally/evidence";
import { OciError } from "../error.ts";

/** How strictly to read. */
export interface KitReading {
  /** The YAML that people write has no digests of layers. */
  readonly layerInfo: boolean;
  /** YAML with unknown fields is refused, as by the reference parser; a config of a newer version may have more. */
  readonly unknownFields: "refuse" | "ignore";
}

/**
 * A place in a Kitfile. It is read twice: `value` with YAML's types, and `plain` with every scalar as the text that stands
 * there, so that `version: 1.10` is the text 1.10 and not the number 1.1.
 */
export class KitField {
  readonly value: unknown;
  readonly place: string;
  readonly #plain: unknown;
  readonly #reading: KitReading;

  constructor(value: unknown, plain: unknown, place: string, reading: KitReading) {
    this.value = value;
    this.#plain = plain;
    this.place = place;
    this.#reading = reading;
  }

  /** A field of this object. */
  at(name: string): KitField {
    return this.#child(name, this.place === "" ? name : `${this.place}.${name}`);
  }

  /** Checks that this is an object without other fields than these. */
  only(...names: readonly string[]): void {
    if (!isObject(this.value)) throw this.wrong("must be an object");
    if (this.#reading.unknownFields === "ignore") return;
    const known = new Set(this.#reading.layerInfo ? [...names, "digest", "diffId"] : names);
    const stray = Object.keys(this.value).find((name) => !known.has(name));
    if (stray !== undefined) {
      throw new OciError("modelkit-invalid", `${this.place || "the Kitfile"} has the unknown field ${stray}`, {
        hint: `known fields are ${names.join(", ")}; other things belong under parameters`,
      });
    }
  }

  /** `{[name]: what read gives}`, or nothing where the field is absent or null. */
  maybe<Name extends string, T>(name: Name, read: (field: KitField) => T): { [K in Name]?: T } {
    const field = this.at(name);
    if (field.value === undefined || field.value === null) return {};
    return { [name]: read(field) } as { [K in Name]?: T };
  }

  /** The layer's digests, where they may stand. */
  layer(): { digest?: string; diffId?: string } {
    if (!this.#reading.layerInfo) return {};
    return { ...this.maybe("digest", (f) => f.text()), ...this.maybe("diffId", (f) => f.text()) };
  }

  text(): string {
    if (typeof this.#plain !== "string" || typeof this.value === "object") throw this.wrong("must be text");
    return this.#plain;
  }

  list<T>(read: (item: KitField) => T): readonly T[] {
    const { value } = this;
    if (!Array.isArray(value)) throw this.wrong("must be a list");
    return Object.freeze(value.map((_, i) => read(this.#child(i, `${this.place}[${i}]`))));
  }

  /** Any JSON data. */
  json(): JsonValue {
    return this.value as JsonValue;
  }

  wrong(why: string): OciError {
    return new OciError("modelkit-invalid", `${this.place || "the Kitfile"} ${why}`);
  }

  #child(key: string | number, place: string): KitField {
    return new KitField(memberOf(this.value, key), memberOf(this.#plain, key), place, this.#reading);
  }
}

function memberOf(value: unknown, key: string | number): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string | number, unknown>)[key];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
