import { type DeviceState, decodeCbor, encodeCbor, type KeySet, type KeyType } from "@tally/evidence";

/** A ledger of a device, as the plane's tables have it. */
export interface DeviceRow {
  readonly origin: string;
  readonly device_id: string;
  readonly epoch: number;
  readonly name: string | null;
  readonly device_group: string | null;
  readonly state: DeviceState;
  readonly genesis: string;
  /** The first key set. */
  readonly key_set: Uint8Array;
  readonly fleet_index: number;
  readonly last_sync: number | null;
}

/** Why a ledger in that state is kept out; states without a reason are let in. */
export const keptOut: Partial<Record<DeviceState, string>> = {
  equivocated: "it signed two histories, and nothing tells which holder of its keys is the device",
  diverged: "what it offered cannot be reconciled with what it delivered before",
  superseded: "its device goes on in a later epoch",
  revoked: "its keys were revoked",
  decommissioned: "it was decommissioned",
};

/**
 * States in which nothing is taken, and what is offered is still looked at: it may contradict what was signed before. Their
 * keys open sessions, for `add-checkpoint` alone.
 */
export const judgedStates: readonly DeviceState[] = ["diverged", "superseded"];

export function decodeKeySet(bytes: Uint8Array): KeySet {
  const keys = decodeCbor(bytes) as readonly (readonly [KeyType, Uint8Array])[];
  return keys.map(([type, publicKey]) => ({ type, publicKey }));
}

export function encodeKeySet(keySet: KeySet): Uint8Array {
  return encodeCbor(keySet.map(({ type, publicKey }) => [type, publicKey]));
}
