// C2SP tlog-proof:
//
//     c2sp.org/tlog-proof@v1
//     extra <base64>            only if there is any
//     index <decimal>
//     <base64 hash>             from the leaf's sibling upward
//     <empty line>
//     <checkpoint, as the log signed it>
import { fromBase64, toBase64 } from "../bytes.ts";
import { asHash, type Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import { parseDecimal } from "./decimal.ts";

/** A proof that an entry is in a log, as a text of its own. */
export interface TlogProof {
  readonly index: number;
  readonly hashes: readonly Hash[];
  /** The complete note. */
  readonly checkpoint: string;
  /** Not covered by any signature. */
  readonly extra?: Uint8Array;
}

const header = "c2sp.org/tlog-proof@v1";
/** A tree of 2^63 leaves has proofs no longer than this. */
const maxHashes = 63;

/** Writes a proof. Extra data without bytes is left out. */
export function formatTlogProof(proof: TlogProof): string {
  const extra = proof.extra !== undefined && proof.extra.length > 0 ? `extra ${toBase64(proof.extra)}\n` : "";
  const hashes = proof.hashes.map((hash) => `${toBase64(hash)}\n`).join("");
  return `${header}\n${extra}index ${proof.index}\n${hashes}\n${proof.checkpoint}`;
}

/**
 * Reads a proof. Nothing is verified: that takes the leaf, the log's keys and a witness policy.
 *
 * @throws EvidenceError `proof-invalid`, or what the checkpoint's parser throws
 */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf("\n\n");
  if (split < 0) throw invalid("it has no empty line before its checkpoint");
  const lines = text.slice(0, split).split("\n");
  if (lines.shift() !== header) throw invalid(`its first line is not ${header}`);
  const checkpoint = text.slice(split + 2);
  parseCheckpoint(checkpoint);
  try {
    const extra = lines[0]?.startsWith("extra ") ? fromBase64(lines.shift()!.slice("extra ".length)) : undefined;
    if (extra?.length === 0) throw invalid("its extra line is empty");
    const index = lines.shift();
    if (!index?.startsWith("index ")) throw invalid("it has no index line");
    if (lines.length > maxHashes) throw invalid(`it has ${lines.length} hashes`);
    return Object.freeze({
      index: parseDecimal(index.slice("index ".length)),
      hashes: Object.freeze(lines.map((line) => asHash(fromBase64(line)))),
      checkpoint,
      ...(extra === undefined ? {} : { extra }),
    });
  } catch (cause) {
    if (cause instanceof EvidenceError && cause.code === "proof-invalid") throw cause;
    throw invalid("a line is not written as it must be", cause);
  }
}

function invalid(why: string, cause?: unknown): EvidenceError {
  return new EvidenceError("proof-invalid", `this is not a tlog-proof: ${why}`, { cause });
}
