import type { Mirror } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { fleetOrigin, logOrigin } from "../keys/plane-keys.ts";
import { Checkpoints } from "../log/checkpoints.ts";
import { HeadsStore } from "../log/heads-store.ts";
import { RestoredGate } from "../log/restored-gate.ts";
import { Sealer } from "../log/sealer.ts";
import { Sightings } from "../log/sightings.ts";
import { WitnessEvidence } from "../log/witness-evidence.ts";
import type { WitnessPolicies } from "../log/witness-policies.ts";
import { Witnesses } from "../log/witnesses.ts";
import type { Logger } from "../operation/logger.ts";
import type { Metrics } from "../operation/metrics.ts";
import type { Stores } from "./open-stores.ts";
import type { PlaneOptions } from "./plane-options.ts";

interface SealingParts {
  readonly stores: Stores;
  readonly policies: WitnessPolicies;
  readonly fleet: Fleet;
  readonly mirror: Mirror;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What signs the plane's logs, and what keeps it from signing. */
export interface Sealing {
  readonly checkpoints: { readonly log: Checkpoints; readonly fleet: Checkpoints };
  readonly heads: HeadsStore;
  readonly witnesses: Witnesses;
  readonly sightings: Sightings;
  readonly restored: RestoredGate;
  readonly sealer: Sealer;
  /** Says in the log why a round failed. */
  readonly failed: (error: unknown) => void;
}

/** Puts together what seals; nothing is signed before the sealer is started. */
export async function openSealing(options: PlaneOptions, parts: SealingParts): Promise<Sealing> {
  const { stores, policies, fleet, mirror, metrics, logger } = parts;
  const { clock, db, blobs, keys, logs } = stores;
  const policy = policies.given;
  const checkpoints = {
    log: new Checkpoints(logOrigin(options.name), db, blobs, policy),
    fleet: new Checkpoints(fleetOrigin(options.name), db, blobs, policy),
  };
  const heads = new HeadsStore(db);
  await heads.catchUp();
  const ownLogs = [
    { ledger: logs.log, signers: keys.log },
    { ledger: logs.fleet, signers: keys.fleet },
  ];
  const sightings = new Sightings({ db, clock, logs: ownLogs, logger });
  const restored = await RestoredGate.open({
    dir: options.dir,
    db,
    witnessed: policy.quorum !== "none",
    withoutDevices: options.insecureSignWithoutDevices === true,
    logger,
  });
  const failed = (error: unknown) => sealingFailed(error, logs.problem, logger);
  const { witnesses, earlierWitnesses } = witnessesOf(options, parts);
  const sealer = new Sealer({
    logs,
    checkpoints,
    heads,
    witnesses,
    ...(earlierWitnesses && { earlierWitnesses }),
    signers: keys,
    require: async () => {
      await sightings.requireNone();
      await restored.requireHeard();
    },
    onAgreed: async () => {
      await policies.use();
      await restored.passed();
    },
    logger,
    onRound: (ms, good) => metrics.round(ms, good),
    currentHeads: (fleetSize) => fleet.heads(mirror, fleetSize),
    clock,
    intervalMs: options.sealIntervalMs ?? 1000,
    onError: failed,
  });
  sightings.onSighting = () => sealer.doubt();
  return { checkpoints, heads, witnesses, sightings, restored, sealer, failed };
}

/** Who cosigns, and beside them the witnesses of before, where the folder was last used with others. */
function witnessesOf(
  { insecureIgnoreWitnesses: ignored = [], insecureNoWitnesses }: PlaneOptions,
  { stores: { db, clock }, policies, logger }: SealingParts,
): { readonly witnesses: Witnesses; readonly earlierWitnesses: Witnesses | undefined } {
  for (const name of ignored) {
    logger.warn({ witness: name }, "a witness is set aside by the operator: what it knows does not count");
  }
  if (insecureNoWitnesses === true) logger.warn({}, "the operator goes on without witnesses");
  const asked = { evidence: new WitnessEvidence(db, clock), clock, logger };
  const { given, earlier } = policies;
  return {
    witnesses: new Witnesses({ policy: given, ignored: policies.ignored(given, ignored), ...asked }),
    earlierWitnesses:
      earlier && new Witnesses({ policy: earlier, ignored: policies.ignored(earlier, ignored), ...asked }),
  };
}

function sealingFailed(error: unknown, problem: PlaneError | undefined, logger: Logger): void {
  // Why nothing is signed was said when it began.
  if (error instanceof PlaneError && (error.code === "refuses-to-sign" || error.code === "not-ready")) return;
  if (problem === undefined) logger.error({ err: error }, "sealing failed");
  else logger.error({ err: problem, hint: problem.hint }, "the plane's own log cannot be written: restart the plane");
}
