import { fromHex } from "../bytes.ts";
import type { LeafHash } from "../digest.ts";
import type { KeySet } from "../note/index.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { readKeySet, writeKeySet } from "./shapes.ts";

interface Admission<Kind extends string> extends EntryBase<Kind> {
  /** 16 random bytes, lower-case hex. */
  readonly deviceId: string;
  readonly epoch: number;
  readonly origin: string;
  /** The leaf hash of the ledger's genesis entry. */
  readonly genesisHash: LeafHash;
  readonly keySet: KeySet;
}

/** A device was admitted to the fleet, with its first ledger. */
export type Enrol = Admission<"enrol">;

/** An admitted device began another epoch: another ledger, another origin. */
export type Epoch = Admission<"epoch">;

export const enrol: EntryKind<Enrol> = admission("enrol", 48);
export const epoch: EntryKind<Epoch> = admission("epoch", 50);

function admission<Kind extends "enrol" | "epoch">(name: Kind, code: number): EntryKind<Admission<Kind>> {
  return {
    name,
    code,
    write: (e) => [
      [2, fromHex(e.deviceId)],
      [3, e.epoch],
      [4, e.origin],
      [5, e.genesisHash],
      [6, writeKeySet(e.keySet)],
    ],
    read: (field) => ({
      deviceId: field(2, "device id").hex(16),
      epoch: field(3, "epoch").uint(),
      origin: field(4, "origin").origin(),
      genesisHash: field(5, "genesis hash").leafHash(),
      keySet: readKeySet(field(6, "key set")),
    }),
  };
}
