import { type Hash, type NoteSignature, parseSignatureLines } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import { formatAddCheckpointBody } from "../witness/add-checkpoint-body.ts";
import { parseSizeBody, SIZE_TYPE } from "../witness/size-body.ts";
import { type PeerAnswer, type PeerOptions, post } from "./peer.ts";

export interface SubmitOptions extends PeerOptions {
  /** The size that the witness is thought to hold. */
  readonly old: number;
  /** From `old` to the checkpoint; empty when `old` is 0. */
  readonly proof: readonly Hash[];
  /** The signed checkpoint. */
  readonly note: string;
}

/** A refusal with the HTTP status and the peer's words. */
export interface Refused {
  readonly status: "refused";
  readonly code: number;
  readonly message: string;
}

export type SubmitResult =
  | { readonly status: "cosigned"; readonly signatures: readonly NoteSignature[] }
  /** The witness holds another size: prove from that one. */
  | { readonly status: "conflict"; readonly size: number }
  | Refused;

/**
 * Asks a witness or mirror at submission prefix `url` to take a checkpoint (C2SP tlog-witness `add-checkpoint`).
 *
 * The signatures are as they came. They hold only when verified with keys from the trust file.
 *
 * @throws LedgerError `unreachable`; `protocol` when the answer is none of the protocol's.
 */
export async function submitCheckpoint(url: string, options: SubmitOptions): Promise<SubmitResult> {
  const body = formatAddCheckpointBody(options);
  const answer = await post(url, "add-checkpoint", { body, type: "text/plain; charset=utf-8" }, options);
  if (answer.status === 200) return { status: "cosigned", signatures: readCosignatures(url, answer) };
  if (answer.status === 409 && answer.type === SIZE_TYPE)
    return { status: "conflict", size: parseSizeBody(answer.text) };
  return refused(answer);
}

/** Cosignature lines of a 200; a mirror without a witness answers with none. */
export function readCosignatures(url: string, { text }: PeerAnswer): readonly NoteSignature[] {
  try {
    return parseSignatureLines(text);
  } catch (error) {
    throw new LedgerError("protocol", `${url} answers 200 without cosignatures: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

export function refused({ status, text }: PeerAnswer): Refused {
  return { status: "refused", code: status, message: text.trim() || `HTTP status ${status}` };
}
