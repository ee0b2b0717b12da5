import type { Registry } from "@tally/oci";
import { Decisions } from "../fleet/decisions.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Checkpoints } from "../log/checkpoints.ts";
import { DeviceErasures, Identities, Quarantines, RevokedKeys, Rotations, Statements } from "../statements/index.ts";
import type { Stores } from "./open-stores.ts";
import { noWitnesses, type PlaneOptions } from "./plane-options.ts";

interface StatementParts {
  readonly stores: Stores;
  readonly fleet: Fleet;
  /** Of the plane's own log: its brackets say when each statement was there. */
  readonly checkpoints: Checkpoints;
  /** Asked when an erasure arrives; by then there is one. */
  readonly registry: () => Registry;
}

export interface Stating {
  readonly identities: Identities;
  readonly statements: Statements;
  readonly decisions: Decisions;
  readonly quarantines: Quarantines;
}

/** Opens what people and devices state, with everything that is derived from it caught up. */
export async function openStatements(
  { name, witnessPolicy: policyText = noWitnesses, registry: where }: PlaneOptions,
  { stores, fleet, checkpoints, registry }: StatementParts,
): Promise<Stating> {
  const { clock, db, blobs, logs, keys } = stores;
  const identities = new Identities({ db, name, keys, policyText });
  const erasures = new DeviceErasures({
    db,
    registry,
    parts: where === undefined || where === "built-in" ? "registry_part" : "outside_part",
    keySet: (origin) => fleet.keySet(origin),
  });
  const provenBy = async (index: number) => (await checkpoints.firstCovering(index))?.notAfter ?? null;
  const revoked = new RevokedKeys({ db, provenBy });
  const statements = new Statements({ db, blobs, logs, identities, clock, erasures, revoked });
  await statements.rebuild();
  const rotations = new Rotations({ identities, revoked, clock });
  const decisions = new Decisions({ db, blobs, logs, fleet, statements, rotations });
  await decisions.catchUp();
  return { identities, statements, decisions, quarantines: new Quarantines({ statements, identities, revoked }) };
}
