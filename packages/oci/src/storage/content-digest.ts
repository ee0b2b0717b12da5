import { createHash, type Hash } from "node:crypto";
import type { Digest } from "@tally/evidence";
import { OciError } from "../error.ts";

/** "sha512:<128 lowercase hex>": stored and served because the distribution specification has it, never an identity in evidence. */
export type Sha512Digest = string & { readonly __sha512: true };

/** What a registry may be asked for by digest. `Digest` (sha256) of `@tally/evidence` is one. */
export type ContentDigest = Digest | Sha512Digest;

const hexLengths: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/**
 * Parses `sha256:<64 hex>` or `sha512:<128 hex>` (image-spec, descriptor.md#digests); lowercase only.
 * Throws `digest-invalid`, saying whether algorithm, length or case is wrong.
 */
export function parseContentDigest(text: string): ContentDigest {
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, Math.max(colon, 0));
  const hex = text.slice(colon + 1);
  const length = Object.hasOwn(hexLengths, algorithm) ? hexLengths[algorithm] : undefined;
  if (colon < 0 || length === undefined) {
    throw invalid(text, `the algorithm must be sha256 or sha512, as in sha256:<64 hex digits>`);
  }
  if (hex.length !== length) throw invalid(text, `${algorithm} has ${length} hex digits, this has ${hex.length}`);
  if (!/^[0-9a-f]+$/.test(hex)) throw invalid(text, "only the lowercase hex digits 0-9 a-f are allowed");
  return text as ContentDigest;
}

/** Whether `parseContentDigest` would accept the text. */
export function isContentDigest(text: string): text is ContentDigest {
  return /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text);
}

export function algorithmOf(digest: ContentDigest): "sha256" | "sha512" {
  return digest.startsWith("sha256:") ? "sha256" : "sha512";
}

/** The part after the colon. */
export function hexOf(digest: ContentDigest): string {
  return digest.slice(7);
}

/** A running hash that ends in a digest of the given algorithm. */
export class DigestStream {
  readonly algorithm: "sha256" | "sha512";
  readonly #hash: Hash;

  constructor(algorithm: "sha256" | "sha512" = "sha256") {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Ends the hash; it takes no more bytes. */
  digest(): ContentDigest {
    return `${this.algorithm}:${this.#hash.digest("hex")}` as ContentDigest;
  }
}

/** The digest of bytes in memory. */
export function contentDigestOf(bytes: Uint8Array, algorithm: "sha256" | "sha512" = "sha256"): ContentDigest {
  const stream = new DigestStream(algorithm);
  stream.update(bytes);
  return stream.digest();
}

/** Throws `digest-mismatch` unless both are the same; `what` names the thing in the message. */
export function requireDigest(what: string, expected: ContentDigest, actual: ContentDigest): void {
  if (expected === actual) return;
  throw new OciError("digest-mismatch", `${what} should be ${expected}, but its bytes are ${actual}`, {
    hint: "the bytes were damaged or replaced on the way; fetch or send them again, and ask who serves them",
  });
}

function invalid(text: string, why: string): OciError {
  return new OciError("digest-invalid", `${JSON.stringify(text.slice(0, 160))} is not a digest: ${why}`);
}
