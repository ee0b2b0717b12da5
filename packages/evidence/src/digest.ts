import * as crypto from "#crypto";
import { fromHex, toHex } from "./bytes.ts";
import { EvidenceError } from "./error.ts";

/** 32 bytes of SHA-256. The brand keeps other bytes from being passed for a hash. */
export type Hash = Uint8Array & { readonly __hash: true };
/** A hash as text of 32 characters, one a byte: a fifth of the memory of an array, where many are held for a while. */
export type HashText = string & { readonly __hashText: true };
/** Hash of one entry as a leaf of a Merkle tree. */
export type LeafHash = Hash & { readonly __leaf: true };
/** Root of a Merkle tree at some size. */
export type RootHash = Hash & { readonly __root: true };
/** `sha256:<64 lowercase hex>`, the only identity of an artifact. */
export type Digest = string & { readonly __digest: true };

const prefix = "sha256:";

/** SHA-256 over the parts, one after another. */
export function sha256(...parts: readonly Uint8Array[]): Hash {
  return crypto.sha256(...parts) as Hash;
}

/** SHA-256 as text. */
export function sha256Text(bytes: Uint8Array): HashText {
  return crypto.sha256Text(bytes) as HashText;
}

/** The bytes of a hash that was kept as text. */
export function hashFromText(text: HashText): Hash {
  const hash = new Uint8Array(32);
  putHash(text, hash, 0);
  return hash as Hash;
}

/** Writes the 32 bytes of a hash into `into`, from `at` on. */
export function putHash(text: HashText, into: Uint8Array, at: number): void {
  for (let i = 0; i < 32; i++) into[at + i] = text.charCodeAt(i);
}

/** SHA-256 over bytes that come one after another. */
export function beginSha256(): { update(bytes: Uint8Array): void; digest(): Hash } {
  const running = crypto.beginSha256();
  return { update: running.update, digest: () => running.digest() as Hash };
}

/** @throws EvidenceError `digest-invalid` unless there are 32 bytes */
export function asHash(bytes: Uint8Array): Hash {
  if (bytes.length !== 32) {
    throw new EvidenceError("digest-invalid", `a SHA-256 hash has 32 bytes, not ${bytes.length}`);
  }
  return bytes as Hash;
}

/** Takes bytes for a leaf hash. @throws EvidenceError `digest-invalid` unless there are 32 */
export function asLeafHash(bytes: Uint8Array): LeafHash {
  return asHash(bytes) as LeafHash;
}

/** Takes bytes for a root hash. @throws EvidenceError `digest-invalid` unless there are 32 */
export function asRootHash(bytes: Uint8Array): RootHash {
  return asHash(bytes) as RootHash;
}

/**
 * Reads `sha256:<64 lowercase hex>` and nothing else.
 *
 * @throws EvidenceError `digest-invalid`, saying whether the algorithm, the length or the case is wrong
 */
export function parseDigest(text: string): Digest {
  const colon = text.indexOf(":");
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  if (colon < 0) {
    throw new EvidenceError("digest-invalid", `"${shown}" names no algorithm`, {
      hint: "write sha256:<64 hex digits>",
    });
  }
  const algorithm = text.slice(0, colon);
  if (algorithm !== "sha256") {
    throw new EvidenceError("digest-invalid", `"${shown}" uses algorithm "${algorithm.slice(0, 20)}"`, {
      hint: "only sha256 identifies an artifact",
    });
  }
  const hex = text.slice(colon + 1);
  if (hex.length !== 64) {
    throw new EvidenceError("digest-invalid", `"${shown}" has ${hex.length} hex digits, a SHA-256 digest has 64`);
  }
  if (/[A-F]/.test(hex)) {
    throw new EvidenceError("digest-invalid", `"${shown}" has uppercase hex digits`, {
      hint: "write them in lowercase",
    });
  }
  if (!/^[0-9a-f]{64}$/.test(hex)) {
    throw new EvidenceError("digest-invalid", `"${shown}" has characters that are not hex digits`);
  }
  return text as Digest;
}

/** Whether the text is a digest that {@link parseDigest} accepts. */
export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text) && text.length === 71;
}

/** The digest of these bytes. */
export function digestOf(bytes: Uint8Array): Digest {
  return digestFromHash(sha256(bytes));
}

/** Writes a hash as a digest. */
export function digestFromHash(hash: Hash): Digest {
  return (prefix + toHex(hash)) as Digest;
}

/** The 32 bytes that a digest spells. */
export function hashFromDigest(digest: Digest): Hash {
  return asHash(fromHex(digest.slice(prefix.length)));
}
