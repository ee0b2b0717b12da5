import {
  type Checkpoint,
  EvidenceError,
  equalBytes,
  type Hash,
  type NoteKey,
  parseCheckpoint,
  quorumMet,
  quorumTimes,
  sameKey,
  sha256,
  type Trust,
  utf8,
  type VerifiedSignature,
  verifyConsistency,
  verifyNote,
  witnessNames,
} from "@tally/evidence";
import { EdgeError, messageOf } from "../error.ts";

/** A checkpoint of the plane's log that the trust file vouches for. */
export interface PlaneCheckpoint {
  readonly checkpoint: Checkpoint;
  /** The complete cosigned note. */
  readonly note: string;
  /** SHA-256 of the complete cosigned note, as anchors name it. */
  readonly noteHash: Hash;
  /** Milliseconds before which it did not exist, by its witnesses, or by the plane's own word where none are asked for. */
  readonly notBefore: number | null;
  /** Milliseconds by which it, and all it includes, existed; by whose word, as above. */
  readonly notAfter: number | null;
}

/**
 * Opens a checkpoint of the plane's log by the rules that the verifier applies to bundles: signed by every key of the
 * trust file, cosigned by its quorum, and with no line of anyone unknown.
 *
 * @throws EdgeError `plane-untrusted` naming what is missing.
 */
export function openPlaneCheckpoint(note: string, trust: Trust): PlaneCheckpoint {
  try {
    const bytes = utf8(note);
    const { checkpoint, note: signed } = parseCheckpoint(bytes);
    const witnesses = [...trust.policy.witnesses.values()].map(({ key }) => key);
    const signatures = verifyNote(signed, [...trust.plane.log, ...witnesses]);
    const stranger = signed.signatures.find((line) => !signatures.some(({ key }) => isOf(key, line)));
    if (stranger !== undefined) throw new Error(`it carries a line of ${stranger.name}, whose key is not known`);
    requireLogKeys(trust, checkpoint, signatures);
    if (!quorumMet(trust.policy, witnessNames(trust.policy, signatures))) {
      throw new Error("its witnesses are not the quorum that the trust file asks for");
    }
    if (checkpoint.size < (trust.minimumPlaneSize ?? 0)) {
      throw new Error(`its size ${checkpoint.size} is below ${trust.minimumPlaneSize}, which the trust file asks for`);
    }
    return Object.freeze({ checkpoint, note, noteHash: sha256(bytes), ...times(trust, signatures) });
  } catch (cause) {
    throw untrusted(trust, messageOf(cause), cause);
  }
}

/**
 * Checks that the plane's log only grew since the checkpoint that this device has pinned.
 *
 * @throws EdgeError `plane-untrusted`: two histories, a smaller log, or a proof that does not hold.
 */
export function requireGrowth(trust: Trust, from: Checkpoint, next: PlaneCheckpoint, proof: readonly Hash[]): void {
  const { checkpoint: to } = next;
  if (to.size < from.size) {
    throw untrusted(trust, `its size ${to.size} is below the ${from.size} that this device has seen`);
  }
  if (to.size === from.size) {
    if (equalBytes(from.root, to.root)) return;
    throw untrusted(trust, `the plane signed another root for size ${to.size} before: it shows two histories`);
  }
  if (from.size === 0) return;
  try {
    verifyConsistency(from.size, to.size, from.root, to.root, [...proof]);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw untrusted(trust, `it does not continue the log of size ${from.size} that this device has seen`, cause);
  }
}

function requireLogKeys(trust: Trust, { origin }: Checkpoint, signatures: readonly VerifiedSignature[]): void {
  for (const key of trust.plane.log) {
    if (origin !== key.name) throw new Error(`it is of ${origin}, not of ${key.name}`);
    if (signatures.some((signature) => sameKey(signature.key, key))) continue;
    throw new Error(`the signature of ${key.name} (type ${key.type}) is missing`);
  }
}

function isOf(key: NoteKey, line: { readonly name: string; readonly id: number }): boolean {
  return key.name === line.name && key.id === line.id;
}

/** By the quorum's cosignatures; without witnesses by the earliest time that the plane's own signatures state. */
function times(
  trust: Trust,
  signatures: readonly VerifiedSignature[],
): Pick<PlaneCheckpoint, "notBefore" | "notAfter"> {
  const { notBefore, notAfter } = quorumTimes(trust.policy, signatures);
  // Cosignatures carry whole seconds: one made at 12:00:07.9 says 12:00:07.
  if (notBefore !== null && notAfter !== null) return { notBefore: notBefore * 1000, notAfter: notAfter * 1000 + 999 };
  const own = signatures.flatMap(({ key, time }) =>
    time !== null && trust.plane.log.some((logKey) => sameKey(logKey, key)) ? [time * 1000] : [],
  );
  return own.length === 0
    ? { notBefore: null, notAfter: null }
    : { notBefore: Math.min(...own), notAfter: Math.min(...own) + 999 };
}

function untrusted(trust: Trust, why: string, cause?: unknown): EdgeError {
  return new EdgeError("plane-untrusted", `the checkpoint of ${trust.plane.name}/log is not accepted: ${why}`, {
    cause,
    hint: "keep the answer as evidence, and ask the operator and the witnesses",
  });
}
