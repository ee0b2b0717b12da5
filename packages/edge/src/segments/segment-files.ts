import { type FileEntry, memoryFile } from "@tally/oci";
import type { SaltStore } from "../recorder/salt-store.ts";
import type { BuiltRows } from "./build-rows.ts";
import { encodePayloads } from "./payload-sequence.ts";
import { type Recipient, sealTo } from "./recipients.ts";
import { type CommittingEntries, newNonce, subjectsOf } from "./seal-subjects.ts";
import { encodeKeys, encodeSealed, type SealedPlace } from "./sealed-payloads.ts";
import { keysFile, sealedFile } from "./segment-contents.ts";
import { renderTableFiles } from "./tables.ts";

/** The files of a segment in the clear: the tables, what they are rendered from, and the proof. */
export function clearFiles({ rows, late, used }: BuiltRows, proof: Uint8Array): readonly FileEntry[] {
  return [
    ...renderTableFiles(rows, late).map(([name, bytes]) => memoryFile(`data/${name}`, bytes)),
    memoryFile("data/payloads.cborseq", encodePayloads(used)),
    proofFile(proof),
  ];
}

/** What it takes to encrypt a segment. */
export interface SealingParts {
  readonly recipients: readonly Recipient[];
  readonly salts: SaltStore;
  readonly place: SealedPlace;
  readonly entries: CommittingEntries;
}

/** The files of a segment whose contents only the recipients can open; the proof is in the clear. */
export async function sealedFiles(
  { used }: BuiltRows,
  proof: Uint8Array,
  { recipients, salts, place, entries }: SealingParts,
): Promise<readonly FileEntry[]> {
  const nonce = newNonce();
  const subjects = await subjectsOf(salts, entries, used, nonce);
  return [
    memoryFile(sealedFile, encodeSealed(place, nonce, recipients, subjects)),
    memoryFile(keysFile, await sealTo(recipients, encodeKeys(subjects))),
    proofFile(proof),
  ];
}

/** As the recipients of a device say. */
export async function segmentFiles(
  built: BuiltRows,
  proof: Uint8Array,
  sealing: SealingParts,
): Promise<readonly FileEntry[]> {
  return sealing.recipients.length === 0 ? clearFiles(built, proof) : sealedFiles(built, proof, sealing);
}

function proofFile(proof: Uint8Array): FileEntry {
  return memoryFile("proof/proof.cbor", proof);
}
