import {
  type Checkpoint,
  formatNote,
  type NoteKey,
  type NoteSignature,
  parseCheckpoint,
  quorumMet,
  sameKey,
  type VerifiedSignature,
  verifyNote,
  type WitnessPolicy,
  witnessNames,
} from "@tally/evidence";
import { type LogReader, proveGrowth } from "@tally/ledger";
import { PlaneError } from "../error.ts";

/** What a witness last said. */
export interface WitnessState {
  readonly name: string;
  readonly agrees: boolean;
  readonly said?: string;
}

const timeoutMs = 5_000;

/**
 * The outside witnesses of the plane's logs. One service may stand in the policy with several keys: it is asked once.
 */
export class Witnesses {
  readonly #policy: WitnessPolicy;
  readonly #byUrl: ReadonlyMap<string, readonly NoteKey[]>;
  readonly #known = new Map<string, number>();
  readonly #states = new Map<string, WitnessState>();

  constructor(policy: WitnessPolicy) {
    this.#policy = policy;
    const byUrl = new Map<string, NoteKey[]>();
    for (const [name, { key, url }] of policy.witnesses) {
      if (url === undefined) {
        throw new PlaneError("configuration", `witness ${name} of the policy has no URL`, {
          hint: "write: witness NAME VKEY https://…",
        });
      }
      byUrl.set(url, [...(byUrl.get(url) ?? []), key]);
    }
    this.#byUrl = byUrl;
  }

  get states(): readonly WitnessState[] {
    return [...this.#states.values()];
  }

  get any(): boolean {
    return this.#byUrl.size > 0;
  }

  /**
   * Asks every witness to cosign the log's latest checkpoint.
   *
   * @returns the complete note, and whether it meets the quorum.
   * @throws PlaneError `refuses-to-sign` when a witness holds more than we do, or another tree: this folder is an old copy.
   */
  async cosign(
    log: LogReader,
    latest: { checkpoint: Checkpoint; note: string },
  ): Promise<{ note: string; met: boolean }> {
    const answers = await Promise.all([...this.#byUrl].map(([url, keys]) => this.#ask(url, keys, log, latest)));
    const { note } = parseCheckpoint(latest.note);
    const signatures = answers.flat();
    const complete = formatNote(note.text, [...note.signatures, ...signatures]);
    if (this.#policy.quorum === "none") return { note: complete, met: true };
    if (signatures.length === 0) return { note: complete, met: false };
    const keys = [...this.#byUrl.values()].flat();
    const verified: readonly VerifiedSignature[] = verifyNote(parseCheckpoint(complete).note, keys);
    return { note: complete, met: quorumMet(this.#policy, witnessNames(this.#policy, verified)) };
  }

  async #ask(
    url: string,
    keys: readonly NoteKey[],
    log: LogReader,
    latest: { checkpoint: Checkpoint; note: string },
  ): Promise<readonly NoteSignature[]> {
    const name = keys[0]!.name;
    const known = `${url} ${log.origin}`;
    try {
      const result = await proveGrowth(url, {
        log,
        latest,
        old: this.#known.get(known) ?? latest.checkpoint.size,
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (result.status === "behind") throw behind(name, log.origin, result.size, latest.checkpoint.size);
      if (result.status === "refused") {
        if (result.code === 422) throw forked(name, log.origin, result.message);
        this.#note(name, false, result.message);
        return [];
      }
      this.#known.set(known, latest.checkpoint.size);
      const valid = this.#valid(result.signatures, keys, latest);
      if (valid.length > 0) this.#note(name, true);
      else this.#note(name, false, "what it answered holds no cosignature of this checkpoint by its key");
      return valid;
    } catch (error) {
      if (error instanceof PlaneError) {
        this.#note(name, false, error.message);
        throw error;
      }
      this.#note(name, false, error instanceof Error ? error.message : String(error));
      return [];
    }
  }

  /** Signatures by the witness's own keys that verify; whatever else it sent is dropped. */
  #valid(
    signatures: readonly NoteSignature[],
    keys: readonly NoteKey[],
    latest: { note: string },
  ): readonly NoteSignature[] {
    const { note } = parseCheckpoint(latest.note);
    return signatures.filter((signature) => {
      const key = keys.find((candidate) => candidate.name === signature.name && candidate.id === signature.id);
      if (key === undefined) return false;
      try {
        const alone = parseCheckpoint(formatNote(note.text, [signature])).note;
        return verifyNote(alone, [key]).some((verified) => sameKey(verified.key, key));
      } catch {
        return false;
      }
    });
  }

  #note(name: string, agrees: boolean, said?: string): void {
    this.#states.set(name, { name, agrees, ...(said !== undefined && { said }) });
  }
}

function behind(name: string, origin: string, theirs: number, ours: number): PlaneError {
  return new PlaneError(
    "refuses-to-sign",
    `witness ${name} has cosigned ${origin} at size ${theirs}, this folder has ${ours}`,
    {
      hint: "the folder is an older copy, and signing would fork the log: restore the newest backup",
    },
  );
}

function forked(name: string, origin: string, message: string): PlaneError {
  return new PlaneError("refuses-to-sign", `witness ${name} holds another history of ${origin}: ${message}`, {
    hint: "two planes have signed with one key: find out which is the real one before going on",
  });
}
