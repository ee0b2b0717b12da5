import {
  type CommitmentRole,
  commitText,
  EvidenceError,
  encodeJson,
  encodeTensors,
  encodeText,
  type HashText,
  hashFromText,
  type JsonValue,
  mediaTypes,
  type NamedTensor,
  type SaltedCommitment,
  sha256Text,
  type TextCommitment,
} from "@tally/evidence";
import { EdgeError } from "./error.ts";
import type { Salt } from "./recorder/salt-derivation.ts";

/** What a record or a label commits to: text, JSON, tensors, or bytes of any other media type. */
export type Content =
  | string
  | { readonly text: string }
  | { readonly json: JsonValue }
  | { readonly tensors: readonly NamedTensor[] }
  | { readonly mediaType: string; readonly bytes: Uint8Array };

/** Content in its one form: these bytes are hashed, and these are kept where capture policy says so. */
export interface CanonicalContent {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes, taken when the content was handed over. */
  readonly hash: HashText;
}

/**
 * Content as it is now: what the caller does to its arrays afterwards changes no commitment.
 *
 * @param kept whether `bytes` are read later; if not, they may be the caller's own.
 * @throws EdgeError `content-invalid` for content that has no canonical form, such as text with half a surrogate pair.
 */
export function canonicalContent(content: Content, kept = true): CanonicalContent {
  const { mediaType, bytes } = encodeContent(content, kept);
  return { mediaType, bytes, hash: sha256Text(bytes) };
}

function encodeContent(content: Content, kept: boolean): { mediaType: string; bytes: Uint8Array } {
  try {
    if (typeof content === "string") return { mediaType: mediaTypes.text, bytes: encodeText(content) };
    if ("bytes" in content)
      return { mediaType: content.mediaType, bytes: kept ? content.bytes.slice() : content.bytes };
    if ("text" in content) return { mediaType: mediaTypes.text, bytes: encodeText(content.text) };
    if ("json" in content) return { mediaType: mediaTypes.json, bytes: encodeJson(content.json) };
    return { mediaType: mediaTypes.tensors, bytes: encodeTensors(content.tensors) };
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new EdgeError("content-invalid", cause.message, { cause });
  }
}

/** The commitment that stands for the content in the ledger, and the slot of its salt. */
export function commitTo(role: CommitmentRole, content: CanonicalContent, { slot, salt }: Salt): TextCommitment {
  return { commitment: commitText(role, content.mediaType, salt, content.hash), slot };
}

/** The same as entries of all kinds hold it. */
export function asSalted({ commitment, slot }: TextCommitment): SaltedCommitment {
  return { commitment: hashFromText(commitment), slot };
}
