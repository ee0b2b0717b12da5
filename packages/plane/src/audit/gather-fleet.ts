import {
  decodeEntry,
  encodeHeadLeaf,
  fleetEntriesMember,
  type HeadLeaf,
  hashLeaf,
  headsLeafMember,
  headsLeavesMember,
  inclusionRanges,
  memberTypes,
  proofFromRanges,
  rootOf,
  sliceLength,
} from "@tally/evidence";
import { PlaneError } from "../error.ts";
import type { DecidedEntry } from "./gather-decisions.ts";
import type { Gathered } from "./gathered.ts";
import type { AuditSource } from "./source.ts";

/**
 * Adds the whole fleet log as of a heads entry: an answer about devices has to show who was ever admitted.
 *
 * @returns the ledgers whose keys were revoked, and every decision of a person that it carries out.
 */
export async function gatherFleet(
  source: AuditSource,
  heads: number,
  gathered: Gathered,
): Promise<{ readonly revoked: ReadonlySet<string>; readonly decisions: readonly DecidedEntry[] }> {
  const revoked = new Set<string>();
  const decisions: DecidedEntry[] = [];
  const entry = decodeEntry(await source.log.entry(heads));
  if (entry.kind !== "heads")
    throw new PlaneError("internal", `entry ${heads} of the plane's log is not a heads entry`);
  const note = await source.fleetNote(entry.fleetSize);
  if (note === undefined)
    throw new PlaneError("internal", `the fleet checkpoint of size ${entry.fleetSize} is missing`);
  gathered.add({ type: memberTypes.fleetCheckpoint, bytes: note });
  for (let from = 0; from < entry.fleetSize; from += sliceLength) {
    const to = Math.min(from + sliceLength, entry.fleetSize);
    const entries = await Array.fromAsync(source.fleet.entries(from, to));
    gathered.add(fleetEntriesMember(from, entries));
    for (const leaf of entries.map(decodeEntry)) {
      if (leaf.kind === "revoke" && leaf.origin !== null) revoked.add(leaf.origin);
      if (leaf.kind === "revoke" || leaf.kind === "epoch" || leaf.kind === "decommission") decisions.push(leaf);
    }
  }
  return { revoked, decisions };
}

/** Adds every leaf of a heads tree. */
export function gatherAllHeads(heads: number, leaves: readonly HeadLeaf[], gathered: Gathered): void {
  for (let from = 0; from < leaves.length; from += sliceLength) {
    const slice = leaves.slice(from, from + sliceLength).map((leaf) => encodeHeadLeaf(leaf));
    gathered.add(headsLeavesMember({ heads, from, leaves: slice }));
  }
}

/** Adds one ledger's leaf of a heads tree with its path; undefined where that tree has none. */
export async function gatherHead(
  source: AuditSource,
  heads: number,
  origin: string,
  gathered: Gathered,
): Promise<HeadLeaf | undefined> {
  const leaves = await source.headsLeaves(heads);
  const position = leaves.findIndex((leaf) => leaf.origin === origin);
  if (position < 0) return undefined;
  const encoded = leaves.map((leaf) => encodeHeadLeaf(leaf));
  const hashes = encoded.map((leaf) => hashLeaf(leaf));
  const node = (level: number, index: number) => rootOf(hashes.slice(index * 2 ** level, (index + 1) * 2 ** level));
  const proof = await proofFromRanges(inclusionRanges(position, hashes.length), node);
  gathered.add(headsLeafMember({ heads, position, leaf: encoded[position]!, proof }));
  gathered.addPlaneEntry(heads);
  return leaves[position];
}
