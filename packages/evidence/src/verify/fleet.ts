import { memberTypes, parseFleetEntries } from "../bundle/index.ts";
import { equalBytes } from "../bytes.ts";
import type { RootHash } from "../digest.ts";
import type { HeadsLeaf } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { Frontier, hashLeaf } from "../merkle/index.ts";
import type { Trust } from "../trust/index.ts";
import { type Checklist, Missing } from "./check.ts";
import { type Fleet, readFleet } from "./fleet-entries.ts";
import type { Materials } from "./materials.ts";
import { openNote } from "./plane-checkpoint.ts";
import type { PlaneLog } from "./plane-log.ts";

const name = { log: "fleet log", understood: "fleet log understood" };

/** Checks the fleet log whole: every leaf is in the bundle, and together they have the root that `heads` names. */
export function verifyFleet(
  heads: HeadsLeaf,
  log: PlaneLog,
  materials: Materials,
  trust: Trust,
  checklist: Checklist,
): Fleet | undefined {
  const about = trust.plane.fleet[0]?.name ?? `${trust.plane.name}/fleet`;
  const note = materials.list(memberTypes.fleetCheckpoint).at(-1);
  if (note === undefined) {
    checklist.missing(name.log, about, "the bundle holds no checkpoint of the fleet log");
    return undefined;
  }
  const earlier = earlierFleets(heads, log);
  const fleet = checklist.attempt(
    name.log,
    about,
    () => {
      materials.use(note);
      const { checkpoint } = openNote(note.bytes, trust.plane.fleet, trust);
      if (checkpoint.size !== heads.fleetSize || !equalBytes(checkpoint.root, heads.fleetRoot)) {
        throw broken("its checkpoint is not the one that the heads entry names");
      }
      const { leaves, roots } = readLeaves(heads, new Set(earlier.map(({ fleetSize }) => fleetSize)), materials);
      requireGrowth(earlier, roots);
      return readFleet(leaves, trust);
    },
    (fleet) => `${heads.fleetSize} entries, ${fleet.enrolments.size} ledgers admitted`,
  );
  const [unknown] = fleet?.notUnderstood ?? [];
  if (unknown !== undefined) {
    checklist.missing(name.understood, about, `entry ${unknown.index} may change who counts: ${unknown.reason}`);
  }
  return fleet;
}

function earlierFleets(heads: HeadsLeaf, log: PlaneLog): readonly HeadsLeaf[] {
  return [...log.entries.values()].flatMap(({ entry }) => (entry.kind === "heads" && entry !== heads ? [entry] : []));
}

/** The fleet log is not witnessed by itself; the plane's log is, and every `heads` in it names a state of the fleet. */
function requireGrowth(earlier: readonly HeadsLeaf[], roots: ReadonlyMap<number, RootHash>): void {
  for (const { fleetSize, fleetRoot } of earlier) {
    const root = roots.get(fleetSize);
    if (root !== undefined && equalBytes(root, fleetRoot)) continue;
    throw broken(
      `its entries are no continuation of the ${fleetSize} that an earlier heads entry names: it was rewritten`,
    );
  }
}

function readLeaves(
  heads: HeadsLeaf,
  sizes: ReadonlySet<number>,
  materials: Materials,
): { leaves: readonly Uint8Array[]; roots: ReadonlyMap<number, RootHash> } {
  const leaves: Uint8Array[] = [];
  const roots = new Map<number, RootHash>();
  const frontier = Frontier.empty();
  if (sizes.has(0)) roots.set(0, frontier.root());
  for (const member of materials.list(memberTypes.fleetEntries)) {
    const { from, items } = parseFleetEntries(member.bytes);
    if (from > leaves.length) throw new Missing(`entries from ${leaves.length} on are missing`);
    if (from < leaves.length) throw broken(`entries from ${from} on are there twice`);
    materials.use(member);
    for (const item of items) {
      leaves.push(item);
      frontier.append(hashLeaf(item));
      if (sizes.has(leaves.length)) roots.set(leaves.length, frontier.root());
    }
  }
  if (leaves.length < heads.fleetSize) throw new Missing(`entries from ${leaves.length} on are missing`);
  if (leaves.length !== heads.fleetSize || !equalBytes(frontier.root(), heads.fleetRoot)) {
    throw broken("its entries do not give the root that the heads entry names");
  }
  return { leaves, roots };
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
