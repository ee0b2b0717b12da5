import {
  asHash,
  type Checkpoint,
  fromBase64,
  fromUtf8,
  type Hash,
  parseCheckpoint,
  type SignedNote,
  toBase64,
} from "@tally/evidence";
import { LedgerError } from "../error.ts";
import { parseDecimal } from "./decimal.ts";

/** C2SP tlog-witness: a proof has at most 63 lines. */
export const MAX_PROOF_HASHES = 63;

/**
 * More than any body needs: 63 proof lines of 45 bytes, and 16 signatures of up to 5 kB in base64, are 116 kB.
 * An HTTP server in front may stop reading here.
 */
export const MAX_ADD_CHECKPOINT_BYTES = 256 * 1024;

/** What a log asks a witness or a mirror: take me from size `old` to this checkpoint. */
export interface CheckpointOffer {
  readonly old: number;
  readonly proof: readonly Hash[];
  readonly checkpoint: Checkpoint;
  readonly note: SignedNote;
}

/**
 * The body of `POST add-checkpoint` (C2SP tlog-witness):
 *
 *     old 20852014
 *     PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
 *
 *     example.com/behind-the-sofa
 *     20852163
 *     CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 *
 *     — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5…
 */
export function formatAddCheckpointBody(offer: { old: number; proof: readonly Hash[]; note: string }): string {
  const lines = [`old ${offer.old}`, ...offer.proof.map((hash) => toBase64(hash)), ""];
  return `${lines.join("\n")}\n${offer.note}`;
}

/** Parses such a body; signatures and proof are not verified yet. LedgerError `protocol` says what is malformed. */
export function parseAddCheckpointBody(body: Uint8Array): CheckpointOffer {
  if (body.length > MAX_ADD_CHECKPOINT_BYTES) {
    throw new LedgerError("protocol", `the body is larger than ${MAX_ADD_CHECKPOINT_BYTES} bytes`);
  }
  try {
    const text = fromUtf8(body);
    const gap = text.indexOf("\n\n");
    if (gap < 0) throw new LedgerError("protocol", "no empty line between the proof and the checkpoint");
    const [first = "", ...hashes] = text.slice(0, gap).split("\n");
    if (!first.startsWith("old ")) throw new LedgerError("protocol", "the first line is not: old <size>");
    const old = parseDecimal(first.slice(4), "the old size");
    if (hashes.length > MAX_PROOF_HASHES) throw new LedgerError("protocol", "more than 63 proof lines");
    const proof = hashes.map((line) => asHash(fromBase64(line)));
    const { checkpoint, note } = parseCheckpoint(text.slice(gap + 2));
    return Object.freeze({ old, proof: Object.freeze(proof), checkpoint, note });
  } catch (error) {
    if (error instanceof LedgerError) throw error;
    throw new LedgerError("protocol", `malformed add-checkpoint: ${(error as Error).message}`, { cause: error });
  }
}
