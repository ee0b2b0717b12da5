import {
  asHash,
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
  const { checkpoint, note } = parseCheckpoint(await client.bytes("/fleet/checkpoint"));
  const { fleet, name } = trust.plane;
  verifyAllOf(note, `${name}/fleet`, fleet);
  const witnesses = [...trust.policy.witnesses.values()].map(({ key }) => key);
  if (
    trust.policy.quorum !== "none" &&
    !quorumMet(trust.policy, witnessNames(trust.policy, verifyNote(note, witnesses)))
  ) {
    throw new EvidenceError("signature-missing", "the fleet log's checkpoint has no witness quorum", {
      hint: "try again in a moment; if it stays so, a witness refuses the plane: ask the operator",
    });
  }
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
