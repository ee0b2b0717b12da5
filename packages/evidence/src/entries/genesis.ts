import { fromHex } from "../bytes.ts";
import type { Hash, RootHash } from "../digest.ts";
import type { KeySet } from "../note/index.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import type { Field } from "./fields.ts";
import {
  type CheckpointReference,
  present,
  readCheckpoint,
  readKeySet,
  writeCheckpoint,
  writeKeySet,
} from "./shapes.ts";

/** The first entry of an epoch: who this device is, under which keys it signs, and that the plane stood at `anchor`. */
export interface Genesis extends EntryBase<"genesis"> {
  readonly version: 1;
  /** 16 random bytes, lower-case hex. */
  readonly deviceId: string;
  readonly epoch: number;
  readonly keySet: KeySet;
  /** The plane's name. */
  readonly plane: string;
  readonly anchor: CheckpointReference;
  readonly nonce: Hash;
  /** In epochs after a restored copy: the head the mirror held, and the head of the branch that was given up. */
  readonly predecessor?: Predecessor;
}

export interface Predecessor {
  readonly mirroredSize: number;
  readonly mirroredRoot: RootHash;
  readonly orphanSize: number;
  readonly orphanRoot: RootHash;
}

export const genesis: EntryKind<Genesis> = {
  name: "genesis",
  code: 1,
  write: (e) => [
    [2, e.version],
    [3, fromHex(e.deviceId)],
    [4, e.epoch],
    [5, writeKeySet(e.keySet)],
    [6, e.plane],
    [7, writeCheckpoint(e.anchor)],
    [8, e.nonce],
    [
      9,
      e.predecessor && [
        e.predecessor.mirroredSize,
        e.predecessor.mirroredRoot,
        e.predecessor.orphanSize,
        e.predecessor.orphanRoot,
      ],
    ],
  ],
  read: (field) => {
    const version = field(2, "version");
    if (version.uint() !== 1) throw version.wrong("format version 1");
    return {
      version: 1,
      deviceId: field(3, "device id").hex(16),
      epoch: field(4, "epoch").uint(),
      keySet: readKeySet(field(5, "key set")),
      plane: field(6, "plane").origin(),
      anchor: readCheckpoint(field(7, "anchor")),
      nonce: field(8, "nonce").hash(),
      ...present("predecessor", field(9, "predecessor").optional(readPredecessor)),
    };
  },
};

function readPredecessor(field: Field): Predecessor {
  const [mirroredSize, mirroredRoot, orphanSize, orphanRoot] = field.tuple(
    "mirrored size",
    "mirrored root",
    "orphan size",
    "orphan root",
  ) as [Field, Field, Field, Field];
  return Object.freeze({
    mirroredSize: mirroredSize.uint(),
    mirroredRoot: mirroredRoot.rootHash(),
    orphanSize: orphanSize.uint(),
    orphanRoot: orphanRoot.rootHash(),
  });
}
