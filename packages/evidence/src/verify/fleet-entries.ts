import { equalBytes } from "../bytes.ts";
import type { LeafHash } from "../digest.ts";
import {
  type Decommission,
  decodeEntry,
  type Enrol,
  type Entry,
  type Epoch,
  type Keys,
  type Revoke,
} from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import type { KeySet } from "../note/index.ts";
import type { Trust } from "../trust/index.ts";

/** What the fleet log says of one ledger. */
export interface Enrolment {
  readonly origin: string;
  readonly deviceId: string;
  readonly epoch: number;
  readonly genesisHash: LeafHash;
  /** Which keys must sign a checkpoint, by the least size from which the set holds. */
  readonly keySets: readonly DatedKeySet[];
  readonly revoked: Revoke | undefined;
  readonly decommissioned: boolean;
}

export interface DatedKeySet {
  readonly fromSize: number;
  readonly keys: KeySet;
}

export interface Fleet {
  /** By origin, in the order of their admission. */
  readonly enrolments: ReadonlyMap<string, Enrolment>;
  /** Revoked keys of people, by key id, each with the revocation under which the least holds. */
  readonly revokedKeys: ReadonlyMap<string, Revoke>;
  /** What persons decided, in the log's order: new epochs, revocations and ends, each by the entry that carries it out. */
  readonly decisions: readonly (Epoch | Revoke | Decommission)[];
  /** Entries from which nothing may be concluded, and after which nothing else is certain either. */
  readonly notUnderstood: readonly { readonly index: number; readonly reason: string }[];
}

interface Building extends Enrolment {
  keySets: DatedKeySet[];
  revoked: Revoke | undefined;
  decommissioned: boolean;
}

/** Reads the fleet log from its first entry on. @throws EvidenceError `proof-invalid` naming the entry that cannot be. */
export function readFleet(leaves: readonly Uint8Array[], trust: Trust): Fleet {
  const enrolments = new Map<string, Building>();
  const newestEpochs = new Map<string, number>();
  const revokedKeys = new Map<string, Revoke>();
  const notUnderstood: { index: number; reason: string }[] = [];
  const decisions: (Epoch | Revoke | Decommission)[] = [];
  leaves.forEach((bytes, index) => {
    const entry = decodeEntry(bytes);
    if (index === 0) checkPlaneKeys(entry, trust);
    if (entry.kind === "epoch" || entry.kind === "revoke" || entry.kind === "decommission") decisions.push(entry);
    switch (entry.kind) {
      case "enrol":
      case "epoch":
        checkAdmission(index, entry, newestEpochs.get(entry.deviceId), trust);
        newestEpochs.set(entry.deviceId, entry.epoch);
        enrolments.set(entry.origin, admitted(entry));
        break;
      case "keys":
        if (entry.origin !== trust.plane.name) addKeys(index, entry, enrolments.get(entry.origin));
        break;
      case "revoke": {
        if (entry.origin === null) revokedKeys.set(entry.keyId, stricter(revokedKeys.get(entry.keyId), entry));
        const enrolment = entry.origin === null ? undefined : enrolments.get(entry.origin);
        if (enrolment !== undefined) enrolment.revoked = stricter(enrolment.revoked, entry);
        break;
      }
      case "decommission": {
        const enrolment = enrolments.get(entry.origin);
        if (enrolment !== undefined) enrolment.decommissioned = true;
        break;
      }
      case "not-understood":
        notUnderstood.push({ index, reason: entry.reason });
        break;
      default:
        throw broken(`entry ${index} is ${entry.kind}, which has no place in a fleet log`);
    }
  });
  return { enrolments, revokedKeys, decisions, notUnderstood };
}

function admitted({ origin, deviceId, epoch, genesisHash, keySet }: Enrol | Epoch): Building {
  const keySets = [{ fromSize: 0, keys: keySet }];
  return { origin, deviceId, epoch, genesisHash, keySets, revoked: undefined, decommissioned: false };
}

/** A ledger is named after its device and epoch, so that no two devices share one and no device has one unseen. */
function checkAdmission(index: number, entry: Enrol | Epoch, newest: number | undefined, trust: Trust): void {
  const { kind, origin, deviceId, epoch } = entry;
  if (origin !== `${trust.plane.name}/d/${deviceId}/${epoch}`) {
    throw broken(`entry ${index} admits ${origin}, which is not the name of epoch ${epoch} of device ${deviceId}`);
  }
  if (kind === "enrol" && newest !== undefined) throw broken(`entry ${index} admits device ${deviceId} a second time`);
  if (kind === "epoch" && (newest === undefined || epoch <= newest)) {
    throw broken(`entry ${index} begins epoch ${epoch} of device ${deviceId} after ${newest ?? "none"}`);
  }
}

/** Key sets only follow one another: none may take the place of keys that have signed already. */
function addKeys(index: number, { origin, fromSize, keySet }: Keys, enrolment: Building | undefined): void {
  const last = enrolment?.keySets.at(-1);
  if (enrolment === undefined || last === undefined)
    throw broken(`entry ${index} gives keys to ${origin}, never admitted`);
  if (fromSize <= last.fromSize) {
    throw broken(`entry ${index} replaces the keys of ${origin} from size ${last.fromSize} on after the fact`);
  }
  enrolment.keySets.push({ fromSize, keys: keySet });
}

/** Of two revocations the one under which less holds: a later entry cannot take back that a key was compromised. */
function stricter(one: Revoke | undefined, other: Revoke): Revoke {
  if (one === undefined) return other;
  if (one.compromiseTime === null || other.compromiseTime === null) return one.compromiseTime === null ? one : other;
  return one.compromiseTime <= other.compromiseTime ? one : other;
}

function checkPlaneKeys(entry: Entry, trust: Trust): void {
  if (entry.kind !== "keys" || entry.origin !== trust.plane.name) {
    throw broken("its first entry is not the plane's own key set");
  }
  const listed = (key: { type: number; publicKey: Uint8Array }) =>
    trust.plane.log.some((own) => own.type === key.type && equalBytes(own.publicKey, key.publicKey));
  if (entry.keySet.length !== trust.plane.log.length || !entry.keySet.every(listed)) {
    throw broken("its first entry names other keys of the plane than the trust file");
  }
}

/** The key set that a checkpoint of that size must be signed with. @throws EvidenceError `signature-invalid` */
export function keySetAt(enrolment: Enrolment, size: number): KeySet {
  const held = enrolment.keySets.findLast(({ fromSize }) => fromSize <= size);
  if (held === undefined)
    throw new EvidenceError("signature-invalid", `${enrolment.origin} has no keys at size ${size}`);
  return held.keys;
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", `the fleet log: ${what}`);
}
