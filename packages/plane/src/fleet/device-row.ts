import { type DeviceState, decodeCbor, type KeySet, type KeyType } from "@tally/evidence";

/** A ledger of a device, as the plane's tables have it. */
export interface DeviceRow {
  readonly origin: string;
  readonly device_id: string;
  readonly epoch: number;
  readonly name: string | null;
  readonly device_group: string | null;
  readonly state: DeviceState;
  readonly genesis: string;
  readonly key_set: Uint8Array;
  readonly fleet_index: number;
  readonly last_sync: number | null;
}

/** Why a ledger in that state is kept out; states without a reason are let in. */
export const keptOut: Partial<Record<DeviceState, string>> = {
  equivocated: "it signed two histories, and nothing tells which holder of its keys is the device",
  diverged: "what it offered cannot be reconciled with what it delivered before",
  revoked: "its keys were revoked",
  decommissioned: "it was decommissioned",
};

export function keySetOf(row: DeviceRow): KeySet {
  const keys = decodeCbor(row.key_set) as readonly (readonly [KeyType, Uint8Array])[];
  return keys.map(([type, publicKey]) => ({ type, publicKey }));
}
