import type { Digest } from "../digest.ts";

/**
 * How the plane stands to a ledger of a device. `enrolled` and `ok` are in good standing, `awaiting` is a new epoch that nobody
 * has accepted yet, the others are kept out.
 */
export const deviceStates = [
  "enrolled",
  "ok",
  "awaiting",
  "superseded",
  "diverged",
  "equivocated",
  "revoked",
  "decommissioned",
] as const;
export type DeviceState = (typeof deviceStates)[number];

/** `GET /api/v1/devices`, `GET /api/v1/devices/<id>`. */
export interface DeviceStatus {
  readonly deviceId: string;
  readonly origin: string;
  readonly epoch: number;
  readonly name?: string;
  readonly group?: string;
  readonly state: DeviceState;
  /** Leaf hash of the ledger's genesis entry: what statements about the ledger have as their subject. */
  readonly genesis: Digest;
  /** SHA-256 of the ledger's newest key set in deterministic CBOR, hex: what a revocation names. */
  readonly keySetId: string;
  /** Of a new epoch: what the device says of the ledger that it gave up. */
  readonly restored?: RestoredFrom;
  /** Entries that the plane holds. */
  readonly mirroredSize: number;
  readonly pendingSize: number;
  /** Milliseconds since 1970 by the plane's clock; null before the first sync. */
  readonly lastSync: number | null;
  readonly records: number;
  /** Loads refused on the device, newest first, at most 20. */
  readonly refusals: readonly { readonly index: number; readonly manifest: string | null; readonly reason: string }[];
  /** What was found against it, newest first. */
  readonly conflicts: readonly DeviceConflict[];
}

/** The head that the plane holds of the ledger before, and the branch that was given up for the new epoch. */
export interface RestoredFrom {
  readonly mirroredSize: number;
  readonly orphanSize: number;
  /** The branch from this entry on, as blobs that are C2SP entry bundles; null where it was not delivered. */
  readonly orphanFrom: number | null;
  readonly bundles: readonly Digest[];
}

/** `GET /api/v1/devices`, in the order of enrolment. */
export interface DeviceList {
  readonly devices: readonly DeviceStatus[];
}

export interface DeviceConflict {
  readonly kind: "equivocated" | "diverged";
  readonly reason: string;
  /** Milliseconds since 1970 by the plane's clock. */
  readonly at: number;
  /** Digest of the blob that holds the notes and the proof. */
  readonly evidence: string;
}

/** What a witness last said. */
export interface WitnessReadiness {
  readonly name: string;
  readonly agrees: boolean;
  readonly said?: string;
  /** It named a larger size or another tree of a log: it counts for nothing until it agrees again. */
  readonly setAside?: true;
  /** The operator started the plane with the word that it lies. */
  readonly ignored?: true;
}

/** `GET /readyz`. */
export interface Readiness {
  readonly ready: boolean;
  /** Size of the newest checkpoint that met its witness quorum. */
  readonly cosignedSize: number | null;
  readonly witnesses: readonly WitnessReadiness[];
  /** Why nothing is signed. */
  readonly problem?: string;
  /** What to do about it. */
  readonly hint?: string;
  /** The outside registry, where there is one, and why it last failed. */
  readonly registry?: { readonly url: string; readonly problem: string | null };
}
