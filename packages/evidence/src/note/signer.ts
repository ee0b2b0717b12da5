import { publicKeyOfPem, signWithPem } from "#crypto";
import type { KeyAlgorithm } from "../crypto/algorithms.ts";
import { EvidenceError } from "../error.ts";
import { type Checkpoint, formatCheckpointText } from "./checkpoint.ts";
import { checkpointMessage, timestamped } from "./cosignature.ts";
import { type KeyType, type NoteKey, noteKey } from "./note-key.ts";
import { formatNote, type NoteSignature } from "./signed-note.ts";

/** Something that can sign checkpoints under one key: a file, a TPM, a remote signer. */
export interface NoteSigner {
  readonly key: NoteKey;
  /** @param timeSeconds POSIX seconds for types 4 and 6, where 0 states no time; types 1 and 2 ignore it */
  sign(checkpoint: Checkpoint, timeSeconds: number): Promise<NoteSignature>;
}

// Type 2 signs SHA-256 whatever the curve, so only the curve of that strength is used.
const algorithms: Readonly<Record<KeyType, KeyAlgorithm>> = { 1: "ed25519", 2: "p-256", 4: "ed25519", 6: "ml-dsa-44" };

/**
 * A signer with a private key in PEM.
 *
 * @throws EvidenceError `key-invalid` if the key is not of the algorithm that the type uses
 */
export function noteSignerFromPem(name: string, type: KeyType, privatePem: string): NoteSigner {
  const { algorithm, raw } = publicKeyOfPem(privatePem);
  if (algorithm !== algorithms[type]) {
    throw new EvidenceError(
      "key-invalid",
      `signatures of type ${type} need a key of ${algorithms[type]}, not ${algorithm}`,
    );
  }
  const key = noteKey(name, type, raw);
  return Object.freeze({
    key,
    async sign(checkpoint: Checkpoint, timeSeconds: number): Promise<NoteSignature> {
      const signature = await signWithPem(privatePem, checkpointMessage(key, checkpoint, timeSeconds));
      const body = type === 4 || type === 6 ? timestamped(timeSeconds, signature) : signature;
      return Object.freeze({ name, id: key.id, signature: body });
    },
  });
}

/**
 * The complete note: the checkpoint signed by all signers, lines in their order.
 *
 * @param timeSeconds POSIX seconds, as each signer takes them
 */
export async function signCheckpoint(
  checkpoint: Checkpoint,
  signers: readonly NoteSigner[],
  timeSeconds: number,
): Promise<string> {
  const signatures = await Promise.all(signers.map((signer) => signer.sign(checkpoint, timeSeconds)));
  return formatNote(formatCheckpointText(checkpoint), signatures);
}
