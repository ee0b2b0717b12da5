import { type CborValue, concatBytes, decodeCborSequence, encodeCbor, isCborList } from "@tally/evidence";
import { EdgeError, messageOf } from "../error.ts";
import type { PayloadRole } from "../recorder/payload-store.ts";

/** Content with the salt that opens its commitment: an item of `payloads.cborseq`. */
export interface OpenedPayload {
  /** Index of the entry that commits to it. */
  readonly index: number;
  readonly role: PayloadRole;
  readonly mediaType: string;
  readonly salt: Uint8Array;
  readonly bytes: Uint8Array;
}

/** A CBOR sequence (RFC 8742) of [index, role, media type, salt, bytes], in order of index; input before output. */
export function encodePayloads(payloads: readonly OpenedPayload[]): Uint8Array {
  return concatBytes(
    ...payloads.map(({ index, role, mediaType, salt, bytes }) => encodeCbor([index, role, mediaType, salt, bytes])),
  );
}

/** @throws EdgeError `segment-invalid` naming the item */
export function decodePayloads(bytes: Uint8Array): readonly OpenedPayload[] {
  return itemsOf(bytes).map((item, i) => {
    if (!isCborList(item) || item.length !== 5) throw wrong(i);
    const [index, role, mediaType, salt, content] = item;
    const isWhole =
      typeof index === "number" &&
      (role === "input" || role === "output" || role === "label") &&
      typeof mediaType === "string" &&
      salt instanceof Uint8Array &&
      content instanceof Uint8Array;
    if (!isWhole) throw wrong(i);
    return Object.freeze({ index, role, mediaType, salt, bytes: content });
  });
}

function itemsOf(bytes: Uint8Array): readonly CborValue[] {
  try {
    return decodeCborSequence(bytes);
  } catch (cause) {
    throw new EdgeError("segment-invalid", `payloads.cborseq cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function wrong(i: number): EdgeError {
  return new EdgeError(
    "segment-invalid",
    `item ${i} of payloads.cborseq is not [index, role, media type, salt, bytes]`,
  );
}
