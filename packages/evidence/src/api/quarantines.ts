import type { Digest } from "../digest.ts";
import type { Quarantined } from "../statements/index.ts";

/** A signed word about a quarantine, with its place in the plane's log. */
export interface QuarantineWordItem {
  /** The envelope. */
  readonly statement: Digest;
  readonly index: number;
  readonly reason: string;
  /** Names of those who signed it and may. */
  readonly by: readonly string[];
}

/** Something that was put under quarantine. */
export interface QuarantineItem extends QuarantineWordItem {
  readonly what: Quarantined;
  /** What the signer's clock said, milliseconds since 1970. */
  readonly at: number;
  /** Patterns of the repositories for which it stands; none where it was lifted. */
  readonly repositories: readonly string[];
  /** What lifted it; null where it stands anywhere. */
  readonly lifted: QuarantineWordItem | null;
}

/** `GET /api/v1/quarantines?subject=`: what is under quarantine, and what was, as the plane says. */
export interface QuarantineList {
  readonly quarantines: readonly QuarantineItem[];
}
