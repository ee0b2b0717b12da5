import { utf8 } from "../bytes.ts";
import { asHash, type Hash, type HashText, putHash, sha256, sha256Text } from "../digest.ts";
import { join, u32 } from "./framing.ts";

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
const unset = new Uint8Array(32);

/**
 * The salted hash that stands for content which stays private: SHA-256 over these fields, each preceded by its length as
 * u32 big-endian:
 *
 *     "tally/commitment/v1", role, media type, salt[32], SHA-256(content)[32]
 *
 * @throws EvidenceError `digest-invalid` for a salt or a content hash that has not 32 bytes
 */
export function commit({ role, mediaType, salt, content }: CommitmentInput): Hash {
  const message = messageFor(role, mediaType);
  const end = message.length;
  message.set(asHash(salt), end - 68);
  message.set(asHash(content), end - 32);
  return sha256(message);
}

/** The same from a content hash as text and as text, as those who record hold them. */
export function commitText(role: CommitmentRole, mediaType: string, salt: Uint8Array, content: HashText): HashText {
  const message = messageFor(role, mediaType);
  message.set(asHash(salt), message.length - 68);
  putHash(content, message, message.length - 32);
  return sha256Text(message);
}

// Two commitments stand in every record. Their message differs in its last 72 bytes only, and is filled in place and hashed
// in one call: a tenth of the time of hashing ten small parts (measured). Nothing here awaits, so one array serves everyone.
const messages = new Map<string, Map<string, Uint8Array>>();
const keptMessages = 64;

/** The message up to salt and content, which are still to be set: u32(32) ‖ salt ‖ u32(32) ‖ content at its end. */
function messageFor(role: string, mediaType: string): Uint8Array {
  const known = messages.get(role)?.get(mediaType);
  if (known !== undefined) return known;
  const fields = [label, utf8(role), utf8(mediaType), unset, unset];
  const message = join(fields.flatMap((field) => [u32(field.length), field]));
  const ofRole = messages.get(role) ?? new Map<string, Uint8Array>();
  if (messages.size >= keptMessages) messages.clear();
  if (ofRole.size >= keptMessages) ofRole.clear();
  messages.set(role, ofRole.set(mediaType, message));
  return message;
}
