import { memberTypes, parseFleetEntries } from "../bundle/index.ts";
import { equalBytes } from "../bytes.ts";
import type { LeafHash } from "../digest.ts";
import { decodeEntry, type HeadsLeaf, type Revoke } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { Frontier, hashLeaf } from "../merkle/index.ts";
import { type KeySet, parseCheckpoint } from "../note/index.ts";
import type { Trust } from "../trust/index.ts";
import type { Checklist } from "./check.ts";
import type { Materials } from "./materials.ts";
import { openNote } from "./plane-log.ts";

/** What the fleet log says of one ledger. */
export interface Enrolment {
  readonly origin: string;
  readonly deviceId: string;
  readonly epoch: number;
  readonly genesisHash: LeafHash;
  /** Which keys must sign a checkpoint, by the least size from which the set holds. */
  readonly keySets: readonly { readonly fromSize: number; readonly keys: KeySet }[];
  readonly revoked: Revoke | undefined;
  readonly decommissioned: boolean;
}

export interface Fleet {
  readonly enrolments: ReadonlyMap<string, Enrolment>;
  /** Revoked keys of people, by key id. */
  readonly revokedKeys: ReadonlyMap<string, Revoke>;
}

const name = "fleet log";

/** Checks the fleet log whole: every leaf is in the bundle, and together they have the root that `heads` names. */
export function verifyFleet(
  heads: HeadsLeaf,
  materials: Materials,
  trust: Trust,
  checklist: Checklist,
): Fleet | undefined {
  const about = trust.plane.fleet[0]?.name ?? `${trust.plane.name}/fleet`;
  const note = materials.list(memberTypes.fleetCheckpoint).at(-1);
  if (note === undefined) {
    checklist.missing(name, about, "the bundle holds no checkpoint of the fleet log");
    return undefined;
  }
  return checklist.attempt(
    name,
    about,
    () => {
      materials.use(note);
      const { checkpoint } = openNote(note.bytes, trust.plane.fleet, trust);
      if (checkpoint.size !== heads.fleetSize || !equalBytes(checkpoint.root, heads.fleetRoot)) {
        throw new EvidenceError("proof-invalid", "its checkpoint is not the one that the heads entry names");
      }
      return readFleet(readLeaves(heads, materials), trust);
    },
    (fleet) => `${heads.fleetSize} entries, ${fleet.enrolments.size} ledgers admitted`,
  );
}

function readLeaves(heads: HeadsLeaf, materials: Materials): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  const frontier = Frontier.empty();
  for (const member of materials.list(memberTypes.fleetEntries)) {
    const { from, items } = parseFleetEntries(member.bytes);
    if (from !== leaves.length)
      throw new EvidenceError("proof-invalid", `entries from ${leaves.length} on are missing`);
    materials.use(member);
    for (const item of items) {
      leaves.push(item);
      frontier.append(hashLeaf(item));
    }
  }
  if (leaves.length !== heads.fleetSize || !equalBytes(frontier.root(), heads.fleetRoot)) {
    throw new EvidenceError("proof-invalid", "its entries do not give the root that the heads entry names");
  }
  return leaves;
}

function readFleet(leaves: readonly Uint8Array[], trust: Trust): Fleet {
  const enrolments = new Map<string, Enrolment>();
  const revokedKeys = new Map<string, Revoke>();
  leaves.forEach((bytes, index) => {
    const entry = decodeEntry(bytes);
    if (index === 0) checkPlaneKeys(entry, trust);
    switch (entry.kind) {
      case "enrol":
      case "epoch": {
        if (enrolments.has(entry.origin)) throw again(index, entry.origin);
        const { origin, deviceId, epoch, genesisHash, keySet } = entry;
        const keySets = [{ fromSize: 0, keys: keySet }];
        enrolments.set(origin, {
          origin,
          deviceId,
          epoch,
          genesisHash,
          keySets,
          revoked: undefined,
          decommissioned: false,
        });
        break;
      }
      case "keys":
        change(enrolments, entry.origin, (e) => ({
          keySets: [...e.keySets, { fromSize: entry.fromSize, keys: entry.keySet }],
        }));
        break;
      case "revoke":
        if (entry.origin === null) revokedKeys.set(entry.keyId, entry);
        else change(enrolments, entry.origin, () => ({ revoked: entry }));
        break;
      case "decommission":
        change(enrolments, entry.origin, () => ({ decommissioned: true }));
        break;
      default:
        break;
    }
  });
  return { enrolments, revokedKeys };
}

function change(all: Map<string, Enrolment>, origin: string, by: (e: Enrolment) => Partial<Enrolment>): void {
  const enrolment = all.get(origin);
  if (enrolment !== undefined) all.set(origin, { ...enrolment, ...by(enrolment) });
}

function checkPlaneKeys(entry: ReturnType<typeof decodeEntry>, trust: Trust): void {
  if (entry.kind !== "keys") throw new EvidenceError("proof-invalid", "its first entry is not the plane's own key set");
  const listed = (key: { type: number; publicKey: Uint8Array }) =>
    trust.plane.log.some((own) => own.type === key.type && equalBytes(own.publicKey, key.publicKey));
  if (entry.keySet.length !== trust.plane.log.length || !entry.keySet.every(listed)) {
    throw new EvidenceError("proof-invalid", "its first entry names other keys of the plane than the trust file");
  }
}

/** The key set that a checkpoint of that size must be signed with. */
export function keySetAt(enrolment: Enrolment, size: number): KeySet {
  const held = enrolment.keySets.filter(({ fromSize }) => fromSize <= size).at(-1);
  if (held === undefined)
    throw new EvidenceError("signature-invalid", `${enrolment.origin} has no keys at size ${size}`);
  return held.keys;
}

/** The size of the fleet checkpoint that a note is of, for choosing among several. */
export function fleetSizeOf(note: Uint8Array): number {
  return parseCheckpoint(note).checkpoint.size;
}

function again(index: number, origin: string): EvidenceError {
  return new EvidenceError("proof-invalid", `entry ${index} admits ${origin} a second time`);
}
