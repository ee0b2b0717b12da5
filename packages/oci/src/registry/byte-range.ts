import { Refusal } from "./refusal.ts";

/** Half-open, as in `slice`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of `size` bytes that a Range header asks for (RFC 9110 section 14.2), or undefined for all of them: no header,
 * another unit, or several ranges, which a server may ignore. Refuses with 416 what lies outside.
 */
export function requestedRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const [, first = "", last = ""] = match;
  const range =
    first === ""
      ? { start: Math.max(0, size - Number(last)), end: size } // the last n bytes
      : { start: Number(first), end: last === "" ? size : Math.min(size, Number(last) + 1) };
  if (range.start < range.end) return range;
  throw new Refusal(416, "UNSUPPORTED", `${header} does not lie within the ${size} bytes of this blob`, {
    headers: { "Content-Range": `bytes */${size}` },
  });
}

/** A chunk's Content-Range in the specification's own form, `<first>-<last>`; undefined without one. Refuses anything else. */
export function chunkRange(header: string | undefined): ByteRange | undefined {
  if (header === undefined) return undefined;
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(header);
  const range = match && { start: Number(match[1]), end: Number(match[2]) + 1 };
  if (range === null || range.end <= range.start) {
    throw new Refusal(
      400,
      "BLOB_UPLOAD_INVALID",
      `Content-Range ${JSON.stringify(header)} must be <first>-<last>, as in 0-1023`,
    );
  }
  return range;
}
