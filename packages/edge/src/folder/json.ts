import { EdgeError, type EdgeErrorCode, messageOf } from "../error.ts";

/** A JSON object whose members have not been looked at. */
export type LooseObject = Readonly<Record<string, unknown>>;

/** Parses text as one JSON object; EdgeError with `code`, naming `what`, when it is not one. */
export function parseObject(text: string, what: string, code: EdgeErrorCode): LooseObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EdgeError(code, `${what} is not JSON: ${messageOf(cause)}`, { cause });
  }
  return asObject(value, what, code);
}

export function asObject(value: unknown, what: string, code: EdgeErrorCode): LooseObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as LooseObject;
  throw new EdgeError(code, `${what} is not an object`);
}

export function asText(value: unknown, what: string, code: EdgeErrorCode): string {
  if (typeof value === "string" && value !== "") return value;
  throw new EdgeError(code, `${what} is missing or no text`);
}

/** An integer from `least` up, within ±(2^53 − 1). */
export function asCount(value: unknown, what: string, code: EdgeErrorCode, least = 0): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw new EdgeError(code, `${what} is not an integer of at least ${least}`);
}

export function asOneOf<const Name extends string>(
  value: unknown,
  names: readonly Name[],
  what: string,
  code: EdgeErrorCode,
): Name {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new EdgeError(code, `${what} is ${JSON.stringify(value)}, not one of ${names.join(", ")}`);
}

export function asList(value: unknown, what: string, code: EdgeErrorCode): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new EdgeError(code, `${what} is not a list`);
}
