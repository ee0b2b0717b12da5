import { equalBytes } from "../bytes.ts";
import type { Predecessor } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { emptyRoot, verifyConsistency } from "../merkle/index.ts";
import { Missing } from "./check.ts";
import type { Context } from "./context.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import type { Enrolment } from "./fleet-entries.ts";
import type { ProvenHead } from "./heads.ts";

const name = { predecessor: "predecessor", orphan: "orphan branch" };

/**
 * Follows a new epoch to the ledger before it (evidence.md 2): the head that its genesis entry names is one that the plane
 * mirrored, and what is given up with it is said.
 */
export async function checkPredecessor({ enrolment, entries }: DeviceLedger, context: Context): Promise<void> {
  const { checklist, fleet, heads, materials } = context;
  const genesis = entries.get(0)?.entry;
  if (genesis?.kind !== "genesis" || genesis.epoch === 0) return;
  const { origin } = enrolment;
  const { predecessor } = genesis;
  if (predecessor === undefined) {
    checklist.bad(
      name.predecessor,
      origin,
      `it is epoch ${genesis.epoch}, and its first entry names no ledger before it`,
    );
    return;
  }
  const before = ledgerBefore(enrolment, [...fleet.enrolments.values()]);
  const head = before && heads.current.get(before.origin);
  if (before === undefined || head === undefined) {
    checklist.skipped(name.predecessor, origin, "the bundle does not show the ledger before it");
    return;
  }
  const { mirroredSize, orphanSize } = predecessor;
  await materials.load(before.origin);
  const held = checklist.attempt(
    name.predecessor,
    origin,
    () => requireMirrored(predecessor, head, context),
    () => `it goes on after entry ${mirroredSize} of ${before.origin}, which the plane mirrored`,
  );
  materials.release(before.origin);
  if (held === undefined || sameHead(predecessor)) return;
  const what = `a branch of ${before.origin} that ended at entry ${orphanSize} was given up`;
  checklist.skipped(name.orphan, origin, `${what}: what only it held is not in this answer`);
}

function ledgerBefore({ deviceId, epoch }: Enrolment, all: readonly Enrolment[]): Enrolment | undefined {
  return all
    .filter((other) => other.deviceId === deviceId && other.epoch < epoch)
    .reduce<Enrolment | undefined>(
      (last, other) => (last === undefined || other.epoch > last.epoch ? other : last),
      undefined,
    );
}

function sameHead({ mirroredSize, mirroredRoot, orphanSize, orphanRoot }: Predecessor): boolean {
  return mirroredSize === orphanSize && equalBytes(mirroredRoot, orphanRoot);
}

/** The plane may have mirrored more since the device asked; less, or something else, contradicts what it was shown then. */
function requireMirrored(
  { mirroredSize, mirroredRoot }: Predecessor,
  { leaf }: ProvenHead,
  { materials }: Context,
): true {
  if (mirroredSize > leaf.mirroredSize) {
    throw broken(
      `its first entry names ${mirroredSize} mirrored entries, the plane says that it has ${leaf.mirroredSize}`,
    );
  }
  if (mirroredSize === 0) {
    if (equalBytes(mirroredRoot, emptyRoot)) return true;
    throw broken("its first entry names a root of no entries");
  }
  if (mirroredSize === leaf.mirroredSize) {
    if (equalBytes(mirroredRoot, leaf.mirroredRoot)) return true;
    throw broken(`its first entry names another root for size ${mirroredSize} than the plane mirrored`);
  }
  const found = materials.consistency(leaf.origin, mirroredSize, leaf.mirroredSize);
  if (found === undefined) {
    throw new Missing(`the bundle holds no consistency proof from size ${mirroredSize} of the ledger before`);
  }
  materials.use(found.member);
  verifyConsistency(mirroredSize, leaf.mirroredSize, mirroredRoot, leaf.mirroredRoot, found.proof);
  return true;
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
