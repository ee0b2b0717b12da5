/** How the plane stands to a device. The last three are kept out. */
export const deviceStates = ["enrolled", "ok", "diverged", "equivocated", "revoked", "decommissioned"] as const;
export type DeviceState = (typeof deviceStates)[number];

/** `GET /api/v1/devices`, `GET /api/v1/devices/<id>`. */
export interface DeviceStatus {
  readonly deviceId: string;
  readonly origin: string;
  readonly epoch: number;
  readonly name?: string;
  readonly group?: string;
  readonly state: DeviceState;
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

/** `POST /api/v1/devices/<id>/revoke` (admin). */
export interface RevokeRequest {
  /** Milliseconds since 1970; null: nothing that its keys signed holds. */
  readonly compromiseTime: number | null;
  readonly reason: string;
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
  readonly problem?: string;
}
