import type { NoteSigner } from "@tally/evidence";
import type { Clock } from "../clock.ts";
import type { Conflict } from "../conflicts/conflict.ts";
import type { Files } from "../files/index.ts";
import type { KeySetSource } from "./admission.ts";
import type { Inspector } from "./commit-packages.ts";

export interface MirrorOptions {
  /** Folder of this mirror alone; created when absent. */
  readonly dir: string;
  /** The witness cosigner's keys (04, 06), which cosign pending checkpoints. May be empty. */
  readonly witness: readonly NoteSigner[];
  /** The mirror cosigner's keys, which cosign when all entries are stored: another name and other keys. */
  readonly mirror: readonly NoteSigner[];
  readonly keySet: KeySetSource;
  readonly inspect?: Inspector;
  /** Told of each conflict after it was kept; told again when it is offered again. The answer waits for it. */
  readonly onConflict: (conflict: Conflict) => Promise<void>;
  /** Told when a pending checkpoint was persisted; at least once for each. The answer waits for it. */
  readonly onPending?: (origin: string, size: number) => Promise<void> | void;
  /** Told when a mirror checkpoint was persisted; at least once for each. The answer waits for it. */
  readonly onMirrored?: (origin: string, size: number) => Promise<void> | void;
  readonly clock?: Clock;
  readonly files?: Files;
  /** Files of logs that are kept open, four each; more ledgers than that wait for theirs to be opened again. Default 1,024. */
  readonly maxOpenFiles?: number;
}
