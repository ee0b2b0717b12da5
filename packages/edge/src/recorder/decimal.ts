import { type CborValue, parameterCodes, usageCodes } from "@tally/evidence";
import { EdgeError } from "../error.ts";

/** Parameters of an inference by name; a fraction is kept as the decimal that it is written as. */
export type Parameters = { readonly [Name in keyof typeof parameterCodes]?: number };

/** Counts of an inference by name. */
export type Usage = { readonly [Name in keyof typeof usageCodes]?: number };

/** Parameters as an entry holds them: `{ temperature: 0.7 }` becomes `{1: [-1, 7]}`. */
export function encodeParameters(parameters: Parameters): ReadonlyMap<number, CborValue> {
  return encodeByCode(parameters, parameterCodes, "parameter", decimal);
}

export function encodeUsage(usage: Usage): ReadonlyMap<number, CborValue> {
  return encodeByCode(usage, usageCodes, "usage", (value) => value);
}

/**
 * A number as entries carry it: an integer, or [exponent, mantissa] for mantissa × 10^exponent, of the shortest decimal
 * that reads back as the same double.
 *
 * @throws EdgeError `content-invalid` for what is not finite or has more digits than fit.
 */
export function decimal(value: number): CborValue {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? 0 : value;
  const [, sign = "", whole = "", fraction = "", power = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  const mantissa = Number(`${sign}${whole}${fraction}`);
  if (whole === "" || !Number.isSafeInteger(mantissa)) {
    throw new EdgeError("content-invalid", `${value} has no decimal form of at most 15 digits`);
  }
  return [Number(power) - fraction.length, mantissa];
}

function encodeByCode(
  values: Readonly<Record<string, number | undefined>>,
  codes: Readonly<Record<string, number>>,
  what: string,
  encode: (value: number) => CborValue,
): ReadonlyMap<number, CborValue> {
  const map = new Map<number, CborValue>();
  for (const [name, value] of Object.entries(values)) {
    const code = codes[name];
    if (code === undefined) {
      throw new EdgeError("content-invalid", `no ${what} is called ${name}`, {
        hint: `known: ${Object.keys(codes).join(", ")}`,
      });
    }
    if (value !== undefined) map.set(code, encode(value));
  }
  return map;
}
