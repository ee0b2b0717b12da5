import { fromHex } from "../bytes.ts";
import type { Digest, LeafHash } from "../digest.ts";
import type { KeySet } from "../note/index.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { present, readKeySet, writeDigest, writeKeySet } from "./shapes.ts";

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
export interface Epoch extends Admission<"epoch"> {
  /** The envelope of the statement by which a person accepted it. */
  readonly statement?: Digest;
}

export const enrol: EntryKind<Enrol> = admission("enrol", 48);

const epochAdmission = admission("epoch", 50);
export const epoch: EntryKind<Epoch> = {
  ...epochAdmission,
  write: (e) => [...epochAdmission.write(e), [7, e.statement && writeDigest(e.statement)]],
  read: (field) => ({
    ...epochAdmission.read(field),
    ...present(
      "statement",
      field(7, "statement").optional((f) => f.digest()),
    ),
  }),
};

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
