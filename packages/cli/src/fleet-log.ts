import {
  asHash,
  type Checkpoint,
  decodeEntry,
  decodeEntryBundle,
  type Enrol,
  type Epoch,
  EvidenceError,
  entriesPath,
  equalBytes,
  Frontier,
  hashLeaf,
  parseCheckpoint,
  quorumMet,
  type Trust,
  tileWidth,
  verifyAllOf,
  verifyNote,
  witnessNames,
} from "@tally/evidence";
import type { PlaneClient } from "./plane-client.ts";

/**
 * A checkpoint of one of the plane's logs, signed by every key of it and by the witness quorum.
 *
 * @throws EvidenceError `signature-missing`, `checkpoint-invalid`
 */
export function trustedCheckpoint(bytes: Uint8Array, log: "log" | "fleet", trust: Trust): Checkpoint {
  const { checkpoint, note } = parseCheckpoint(bytes);
  verifyAllOf(note, `${trust.plane.name}/${log}`, trust.plane[log]);
  const witnesses = [...trust.policy.witnesses.values()].map(({ key }) => key);
  const names = () => witnessNames(trust.policy, verifyNote(note, witnesses));
  if (trust.policy.quorum === "none" || quorumMet(trust.policy, names())) return checkpoint;
  const what = log === "fleet" ? "the fleet log's" : "the plane's log's";
  throw new EvidenceError("signature-missing", `${what} checkpoint has no witness quorum`, {
    hint: "try again in a moment; if it stays so, a witness refuses the plane: ask the operator",
  });
}

/** How a ledger was admitted, as the fleet log has it. */
export type Admission = Enrol | Epoch;

/**
 * Reads the plane's fleet log, whole, and verifies it with the trust file: every key of the log and the witness quorum
 * signed its checkpoint, and the entries are those of its root.
 *
 * @returns admissions by the ledger's origin
 * @throws EvidenceError `signature-missing`, `proof-invalid`
 */
export async function readFleet(
  client: Pick<PlaneClient, "bytes">,
  trust: Trust,
): Promise<ReadonlyMap<string, Admission>> {
  const checkpoint = trustedCheckpoint(await client.bytes("/fleet/checkpoint"), "fleet", trust);
  const tree = Frontier.empty();
  const admissions = new Map<string, Admission>();
  for (let first = 0; first < checkpoint.size; first += tileWidth) {
    const width = Math.min(tileWidth, checkpoint.size - first);
    const bundle = await client.bytes(`/fleet/${entriesPath(first / tileWidth, width)}`);
    for (const bytes of decodeEntryBundle(bundle).slice(0, width)) {
      tree.append(hashLeaf(bytes));
      const entry = decodeEntry(bytes);
      if (entry.kind === "enrol" || entry.kind === "epoch") admissions.set(entry.origin, entry);
    }
  }
  if (tree.size === checkpoint.size && equalBytes(tree.root(), asHash(checkpoint.root))) return admissions;
  throw new EvidenceError("proof-invalid", "the fleet log's entries are not those that its checkpoint was signed over");
}
