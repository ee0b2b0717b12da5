import type { BundleMember } from "../bundle/index.ts";
import { toHex } from "../bytes.ts";
import { type Digest, digestFromHash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import {
  type Checkpoint,
  formatSignatureLine,
  type NoteKey,
  parseCheckpoint,
  postQuantumPolicy,
  quorumTimes,
  sameKey,
  type VerifiedSignature,
  verifyNote,
} from "../note/index.ts";
import type { Trust } from "../trust/index.ts";
import type { Checklist } from "./check.ts";
import type { Materials } from "./materials.ts";
import { lastMoment } from "./moments.ts";

/** A checkpoint of the plane's log that the trust file vouches for, and when it existed by its cosignatures. */
export interface PlaneCheckpoint {
  readonly checkpoint: Checkpoint;
  /** SHA-256 of the complete note. */
  readonly note: Digest;
  /** Milliseconds: the witnesses' quorum had seen it no earlier than … */
  readonly notBefore: number | null;
  /** … and no later than. Null where the trust file asks for no witnesses and the plane gave no time. */
  readonly notAfter: number | null;
  /** As `notAfter`, by ML-DSA signatures alone; null where they prove no time. */
  readonly postQuantumNotAfter: number | null;
  readonly label: "witnessed" | "plane-asserted";
}

const name = { checkpoint: "plane checkpoint", quorum: "witness quorum" };

/** Checks one checkpoint of the plane's log: all of the plane's keys, and the quorum of the trust file's witnesses. */
export function verifyPlaneCheckpoint(
  member: BundleMember,
  trust: Trust,
  materials: Materials,
  checklist: Checklist,
): PlaneCheckpoint | undefined {
  materials.use(member);
  const about = `plane checkpoint at byte ${member.offset}`;
  const verified = checklist.attempt(
    name.checkpoint,
    about,
    () => openNote(member.bytes, trust.plane.log, trust),
    ({ checkpoint, signatures }) =>
      `${checkpoint.origin} of size ${checkpoint.size}, root ${toHex(checkpoint.root).slice(0, 16)}…, ${signatures.length} signatures hold`,
  );
  if (verified === undefined) return undefined;
  const { checkpoint, signatures } = verified;
  const note = digestFromHash(member.digest);
  const cosignatures = signatures.filter(({ key }) => isWitness(key, trust));
  const times = quorumTimes(trust.policy, cosignatures);
  if (times.notBefore === null || times.notAfter === null) {
    if (trust.policy.quorum === "none") {
      checklist.skipped(name.quorum, about, "the trust file asks for no witnesses: times are the plane's word");
      const own = ownTimes(signatures, trust);
      // Only ML-DSA signatures of a log state a time.
      return { checkpoint, note, ...own, postQuantumNotAfter: own.notAfter, label: "plane-asserted" };
    }
    checklist.bad(name.quorum, about, `its cosignatures do not meet the quorum that the trust file asks for`);
    return undefined;
  }
  const [notBefore, notAfter] = [times.notBefore * 1000, wholeSecond(times.notAfter * 1000)];
  const witnesses = new Set(cosignatures.map(({ key }) => key.name)).size;
  checklist.good(name.quorum, about, `cosigned by ${witnesses} known witnesses, ${new Date(notBefore).toISOString()}`);
  const postQuantumNotAfter = provenByMlDsa(cosignatures, trust);
  return { checkpoint, note, notBefore, notAfter, postQuantumNotAfter, label: "witnessed" };
}

/**
 * Opens a checkpoint of one of the plane's logs: every key of the trust file must have signed, every other line must
 * be of a known witness, and no line stands twice.
 *
 * @throws EvidenceError
 */
export function openNote(
  bytes: Uint8Array,
  required: readonly NoteKey[],
  trust: Trust,
): { checkpoint: Checkpoint; signatures: readonly VerifiedSignature[] } {
  const { checkpoint, note } = parseCheckpoint(bytes);
  const lines = note.signatures.map(formatSignatureLine);
  if (new Set(lines).size !== lines.length) throw invalid("a signature line stands twice");
  const witnesses = [...trust.policy.witnesses.values()].map(({ key }) => key);
  const signatures = verifyNote(note, [...required, ...witnesses]);
  for (const key of required) {
    if (key.name !== checkpoint.origin) throw invalid(`it is of ${checkpoint.origin}, not of ${key.name}`);
    if (!signatures.some((signature) => sameKey(signature.key, key))) {
      throw invalid(`the signature of ${key.name} (type ${key.type}) that the trust file requires is missing`);
    }
  }
  for (const line of note.signatures) {
    if (!signatures.some(({ key }) => key.name === line.name && key.id === line.id)) {
      throw invalid(`it carries a line of ${line.name}, whose key the trust file does not know`);
    }
  }
  const beyond = signatures.find(({ time }) => time !== null && time * 1000 > lastMoment - 1000);
  if (beyond !== undefined) throw invalid(`${beyond.key.name} signed at second ${beyond.time}, which no date can be`);
  return { checkpoint, signatures };
}

/**
 * The same of one checkpoint by itself, with when it existed: by the witnesses' quorum, or by the plane's word where the trust file asks
 * for none. Milliseconds; null where nothing proves a time.
 *
 * @throws EvidenceError `checkpoint-invalid`, `signature-invalid`; `signature-missing` where the quorum is not met
 */
export function openPlaneCheckpoint(
  bytes: Uint8Array,
  trust: Trust,
): Pick<PlaneCheckpoint, "checkpoint" | "notBefore" | "notAfter"> {
  return openTimed(bytes, trust.plane.log, trust);
}

/** The same of the fleet log. @throws EvidenceError as `openPlaneCheckpoint` */
export function openFleetCheckpoint(bytes: Uint8Array, trust: Trust): Checkpoint {
  return openTimed(bytes, trust.plane.fleet, trust).checkpoint;
}

function openTimed(bytes: Uint8Array, required: readonly NoteKey[], trust: Trust) {
  const { checkpoint, signatures } = openNote(bytes, required, trust);
  if (trust.policy.quorum === "none") return { checkpoint, ...ownTimes(signatures, trust) };
  const cosignatures = signatures.filter(({ key }) => isWitness(key, trust));
  const { notBefore, notAfter } = quorumTimes(trust.policy, cosignatures);
  if (notBefore === null || notAfter === null) {
    throw new EvidenceError("signature-missing", "the plane's checkpoint has no witness quorum");
  }
  return { checkpoint, notBefore: notBefore * 1000, notAfter: wholeSecond(notAfter * 1000) };
}

function isWitness(key: NoteKey, trust: Trust): boolean {
  return [...trust.policy.witnesses.values()].some((witness) => sameKey(witness.key, key));
}

/** The plane's own ML-DSA key signed, as all of its keys have to; its ML-DSA witnesses are a quorum by themselves. */
function provenByMlDsa(cosignatures: readonly VerifiedSignature[], trust: Trust): number | null {
  const policy = postQuantumPolicy(trust.policy);
  if (policy === undefined || !trust.plane.log.some(({ type }) => type === 6)) return null;
  const { notAfter } = quorumTimes(policy, cosignatures);
  return notAfter === null ? null : wholeSecond(notAfter * 1000);
}

function ownTimes(signatures: readonly VerifiedSignature[], trust: Trust) {
  const times = signatures
    .filter(({ key, time }) => time !== null && trust.plane.log.some((own) => sameKey(own, key)))
    .map(({ time }) => time! * 1000);
  if (times.length === 0) return { notBefore: null, notAfter: null };
  return { notBefore: Math.min(...times), notAfter: wholeSecond(Math.min(...times)) };
}

// Cosignatures carry whole seconds: one made at 12:00:07.9 says 12:00:07, so what it proves to exist existed by …07.999.
function wholeSecond(ms: number): number {
  return ms + 999;
}

function invalid(what: string): EvidenceError {
  return new EvidenceError("checkpoint-invalid", `the plane's checkpoint: ${what}`);
}
