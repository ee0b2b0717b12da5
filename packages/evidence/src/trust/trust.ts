import type { JsonObject } from "../content/i-json.ts";
import type { NoteKey, WitnessPolicy } from "../note/index.ts";
import type { KeylessIdentity } from "./keyless-identity.ts";
import type { TrustedIdentity } from "./trusted-identity.ts";

export const trustFormat = "tally-trust/v1";

/** Signature algorithms that a trust file may require of every checkpoint of the plane. */
export const checkpointAlgorithms = ["ed25519", "ml-dsa-44", "p-256"] as const;
export type CheckpointAlgorithm = (typeof checkpointAlgorithms)[number];

/** Everything a verifier believes without proof. Trust comes from here and from nowhere else. */
export interface Trust {
  readonly plane: TrustedPlane;
  /** Which witnesses must have cosigned the plane's checkpoints. */
  readonly policy: WitnessPolicy;
  /** The policy as it was written. */
  readonly policyText: string;
  /** Each must be among the keys of both logs. */
  readonly requiredAlgorithms: readonly CheckpointAlgorithm[];
  /** Each must be among the keys that sign a device's checkpoints. Left out: ML-DSA-44, where the plane needs it too. */
  readonly requiredDeviceAlgorithms?: readonly CheckpointAlgorithm[];
  /** Those with a key. */
  readonly identities: readonly TrustedIdentity[];
  /** Those without: sigstore's certificates name them. */
  readonly keyless: readonly KeylessIdentity[];
  /** Sigstore trusted roots (`trusted_root.json`) by the names that keyless identities use; what they hold is read where it is used. */
  readonly trustRoots: Readonly<Record<string, JsonObject>>;
  /** No plane checkpoint below this size is taken. */
  readonly minimumPlaneSize?: number;
  /** How old the newest plane checkpoint may be. */
  readonly maximumAgeSeconds?: number;
  /**
   * Milliseconds since 1970: classical signatures on statements count only where ML-DSA alone proves the statement to be older
   * (evidence.md 8). Left out: they count.
   */
  readonly classicalUntil?: number;
  /** How far clocks of cosigners may lie apart. */
  readonly skewSeconds: number;
}

export interface TrustedPlane {
  readonly name: string;
  /** The keys of `<name>/log`; every one must have signed. */
  readonly log: readonly NoteKey[];
  /** The keys of `<name>/fleet`; every one must have signed. */
  readonly fleet: readonly NoteKey[];
}
