import type { KeylessVerifier, Trust } from "../trust/index.ts";
import type { Checklist } from "./check.ts";
import type { Fleet } from "./fleet-entries.ts";
import type { Heads } from "./heads.ts";
import type { Materials } from "./materials.ts";
import type { PlaneLog } from "./plane-log.ts";

/** What the checks of ledgers and models stand on, once the plane's logs hold. */
export interface Context {
  readonly log: PlaneLog;
  readonly fleet: Fleet;
  readonly heads: Heads;
  readonly trust: Trust;
  readonly materials: Materials;
  /** Whether an answer that leaves out entries is not enough. */
  readonly requireFull: boolean;
  readonly checklist: Checklist;
  /** Origins whose keys signed two histories. */
  readonly equivocated: ReadonlySet<string>;
  /** Undefined where keyless signatures cannot be verified. */
  readonly keyless: KeylessVerifier | undefined;
}
