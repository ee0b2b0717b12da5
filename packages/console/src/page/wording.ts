import { type Content, element } from "./element.ts";

/** Milliseconds since 1970 as `2026-01-31 09:00:00 UTC`, with milliseconds where there are any. */
export function time(ms: number | null, otherwise = "not known"): string {
  if (ms === null) return otherwise;
  const date = new Date(ms);
  // JavaScript's calendar ends in the year 275760; a device may say what it likes.
  if (Number.isNaN(date.getTime())) return `${ms} ms after 1970`;
  return date.toISOString().replace("T", " ").replace(".000Z", "Z").replace("Z", " UTC");
}

/** `1,234` */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** `1 record`, `2 records` */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `228,596 bytes`, `3.4 MB` */
export function bytes(size: number): string {
  return size < 1_000_000 ? counted(size, "byte") : `${(size / 1_000_000).toFixed(1)} MB`;
}

/** A digest or another value that is compared sign by sign. */
export function code(value: string): HTMLElement {
  return element("code", {}, value);
}

/** A digest by its beginning, the whole of it on hovering. */
export function shortCode(value: string): HTMLElement {
  const digits = value.replace(/^sha256:/, "");
  return element("code", { title: value }, digits.length > 14 ? `${digits.slice(0, 12)}…` : digits);
}

/** A device's ledger, by the beginning of the device's id and by its epoch where that is not the first. */
export function device(origin: string): Content {
  const { id, epoch } = epochOf(origin);
  const name = element("code", { title: origin }, `${id.slice(0, 12)}…`);
  return epoch === "0" ? name : [name, ` epoch ${epoch}`];
}

/** `<plane>/d/<device id>/<epoch>`: the verifier has read the origin before. */
export function epochOf(origin: string): { readonly id: string; readonly epoch: string } {
  const [id = origin, epoch = "0"] = origin.split("/").slice(-2);
  return { id, epoch };
}

export function list(names: readonly string[], otherwise: string): string {
  return names.length === 0 ? otherwise : names.join(", ");
}
