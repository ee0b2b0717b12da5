import { utf8 } from "../bytes.ts";
import { asHash, type Hash, sha256 } from "../digest.ts";
import { u32 } from "./framing.ts";

/** What the content was to the record. `capture` commits to a capture level that depends on the output. */
export type CommitmentRole = "input" | "output" | "label" | "retrieval" | "capture" | "parameter";

export interface CommitmentInput {
  readonly role: CommitmentRole;
  readonly mediaType: string;
  /** 32 random bytes, never used twice. Destroying them makes the commitment say nothing. */
  readonly salt: Uint8Array;
  /** SHA-256 of the encoded content. */
  readonly content: Hash;
}

const label = utf8("tally/commitment/v1");

/**
 * The salted hash that stands for content which stays private: SHA-256 over these fields, each preceded by its length as
 * u32 big-endian:
 *
 *     "tally/commitment/v1", role, media type, salt[32], SHA-256(content)[32]
 *
 * @throws EvidenceError `digest-invalid` for a salt or a content hash that has not 32 bytes
 */
export function commit({ role, mediaType, salt, content }: CommitmentInput): Hash {
  const fields = [label, utf8(role), utf8(mediaType), asHash(salt), asHash(content)];
  return sha256(...fields.flatMap((field) => [u32(field.length), field]));
}
