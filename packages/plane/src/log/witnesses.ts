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
import { type Clock, type LogReader, proveGrowth } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import type { Logger } from "../operation/logger.ts";
import type { WitnessEvidence } from "./witness-evidence.ts";
import { contradicts, type Opinion, type Opinions } from "./witness-opinion.ts";

/** What a witness last said, over both logs. */
export interface WitnessState {
  readonly name: string;
  readonly agrees: boolean;
  readonly said?: string;
  /** It named a larger size or another tree: its words are kept, and it counts for nothing until it agrees again. */
  readonly setAside?: true;
  /** The operator has said that it lies. */
  readonly ignored?: true;
}

/** A witness was shown a log's latest checkpoint. */
export interface Round {
  /** The complete note. */
  readonly note: string;
  /** Whether it meets the quorum. */
  readonly met: boolean;
  readonly opinions: Opinions;
}

export interface WitnessesOptions {
  readonly policy: WitnessPolicy;
  /** Policy names of witnesses that the operator has said lie. They are not asked. */
  readonly ignored: ReadonlySet<string>;
  readonly evidence: WitnessEvidence;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Service {
  readonly url: string;
  /** By the policy's names. One service may stand in the policy with several keys: it is asked once. */
  readonly keys: ReadonlyMap<string, NoteKey>;
}

type Latest = { readonly checkpoint: Checkpoint; readonly note: string };
interface Answered {
  readonly signatures: readonly NoteSignature[];
  readonly opinions: readonly (readonly [string, Opinion])[];
}

const timeoutMs = 5_000;
/** A cosignature so much older than the question was not made for it. */
const clockToleranceMs = 300_000;

/** The outside witnesses of the plane's logs: asks them, and says what each said. It judges nothing. */
export class Witnesses {
  readonly policy: WitnessPolicy;
  readonly ignored: ReadonlySet<string>;
  readonly #options: WitnessesOptions;
  readonly #services: readonly Service[];
  readonly #known = new Map<string, number>();
  readonly #said = new Map<string, Map<string, Opinion>>();

  /** @throws PlaneError `configuration` for a witness that has no URL, and for one to be ignored that is none. */
  constructor(options: WitnessesOptions) {
    this.#options = options;
    this.policy = options.policy;
    this.ignored = options.ignored;
    this.#services = servicesOf(options);
  }

  /** Of every witness that was asked. */
  get states(): readonly WitnessState[] {
    const names = this.#services.map(({ keys }) => nameOf(keys)).filter((name) => this.#said.has(name));
    const asked = names.map((name): WitnessState => {
      const off = [...this.#said.get(name)!.values()].filter(({ kind }) => kind !== "agrees");
      const worst = off.find(contradicts) ?? off[0];
      if (worst === undefined || worst.kind === "agrees") return { name, agrees: true };
      return { name, agrees: false, said: worst.message, ...(contradicts(worst) && { setAside: true }) };
    });
    const ignored = [...this.ignored].map((name): WitnessState => {
      const key = this.policy.witnesses.get(name)?.key.name ?? name;
      return { name: key, agrees: false, said: "set aside by the operator", ignored: true };
    });
    return [...asked, ...ignored];
  }

  get any(): boolean {
    return this.#services.length > 0;
  }

  /** Asks every witness to cosign the log's latest checkpoint. Whatever they answer, it does not throw. */
  async cosign(log: Pick<LogReader, "origin" | "consistencyProof">, latest: Latest): Promise<Round> {
    const answers = await Promise.all(this.#services.map((service) => this.#ask(service, log, latest)));
    const { note } = parseCheckpoint(latest.note);
    const signatures = answers.flatMap((answer) => answer.signatures);
    const complete = formatNote(note.text, [...note.signatures, ...signatures]);
    const opinions = new Map(answers.flatMap((answer) => answer.opinions));
    if (this.policy.quorum === "none") return { note: complete, met: true, opinions };
    if (signatures.length === 0) return { note: complete, met: false, opinions };
    const keys = this.#services.flatMap((service) => [...service.keys.values()]);
    const verified: readonly VerifiedSignature[] = verifyNote(parseCheckpoint(complete).note, keys);
    return { note: complete, met: quorumMet(this.policy, witnessNames(this.policy, verified)), opinions };
  }

  async #ask(service: Service, log: Pick<LogReader, "origin" | "consistencyProof">, latest: Latest): Promise<Answered> {
    const { url, keys } = service;
    const known = `${url} ${log.origin}`;
    const asked = this.#options.clock.now();
    const all = (opinion: Opinion): Answered => ({
      signatures: [],
      opinions: [...keys.keys()].map((name) => [name, opinion] as const),
    });
    let answered: Answered;
    try {
      const result = await proveGrowth(url, {
        log,
        latest,
        old: this.#known.get(known) ?? latest.checkpoint.size,
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (result.status === "cosigned") {
        this.#known.set(known, latest.checkpoint.size);
        answered = cosignatures(keys, result.signatures, latest, asked);
      } else answered = all(opinionOf(result, log.origin, latest.checkpoint.size));
    } catch (error) {
      answered = all({ kind: "silent", message: error instanceof Error ? error.message : String(error) });
    }
    await this.#note(service, log.origin, latest, answered);
    return answered;
  }

  /** Remembers what was said, keeps what contradicts, and tells of every change. */
  async #note({ url, keys }: Service, origin: string, latest: Latest, { opinions }: Answered): Promise<void> {
    const { evidence, logger } = this.#options;
    const name = nameOf(keys);
    const worst = opinions.map(([, said]) => said).find(({ kind }) => kind !== "agrees") ?? { kind: "agrees" as const };
    const byLog = this.#said.get(name) ?? new Map<string, Opinion>();
    this.#said.set(name, byLog);
    const before = byLog.get(origin);
    byLog.set(origin, worst);
    if (worst.kind === "larger" || worst.kind === "other-root") {
      const ours = latest.checkpoint.size;
      const theirs = worst.kind === "larger" ? worst.size : ours;
      const { kind, message: said } = worst;
      await evidence.keep({ witness: name, log: origin, kind, theirs, ours, url, said, offered: latest.note });
    }
    if (before?.kind === worst.kind) return;
    const fields = { witness: name, log: origin, said: worst.kind === "agrees" ? undefined : worst.message };
    if (contradicts(worst)) logger.error(fields, "a witness contradicts this plane and is set aside");
    else if (worst.kind !== "agrees") logger.warn(fields, "a witness does not cosign");
    else if (before !== undefined) logger.info(fields, "a witness agrees again");
  }
}

function servicesOf({ policy, ignored }: WitnessesOptions): readonly Service[] {
  for (const name of ignored) {
    if (policy.witnesses.has(name)) continue;
    throw new PlaneError("configuration", `the policy has no witness ${name}`, {
      hint: `its witnesses are ${[...policy.witnesses.keys()].join(", ") || "none"}`,
    });
  }
  const byUrl = new Map<string, Map<string, NoteKey>>();
  for (const [name, { key, url }] of policy.witnesses) {
    if (url === undefined) {
      throw new PlaneError("configuration", `witness ${name} of the policy has no URL`, {
        hint: "write: witness NAME VKEY https://…",
      });
    }
    if (!ignored.has(name)) byUrl.set(url, (byUrl.get(url) ?? new Map<string, NoteKey>()).set(name, key));
  }
  const left = new Set([...byUrl.values()].flatMap((keys) => [...keys.keys()]));
  if (policy.quorum !== "none" && !quorumMet(policy, left)) {
    throw new PlaneError("configuration", `without ${[...ignored].join(", ")} the policy's quorum cannot be met`, {
      hint: "write a policy that asks other witnesses",
    });
  }
  return [...byUrl].map(([url, keys]) => ({ url, keys }));
}

function nameOf(keys: ReadonlyMap<string, NoteKey>): string {
  return keys.values().next().value!.name;
}

/** What an answer other than cosignatures says of the log. */
function opinionOf(
  result: { status: "behind"; size: number } | { status: "refused"; code: number; message: string },
  origin: string,
  ours: number,
): Opinion {
  if (result.status === "behind") {
    const { size } = result;
    return { kind: "larger", size, message: `it has cosigned ${origin} at size ${size}, this folder has ${ours}` };
  }
  if (result.code !== 422) return { kind: "silent", message: result.message.slice(0, 300) };
  const message = `it holds another history of ${origin}: ${result.message.slice(0, 300)}`;
  return { kind: "other-root", message };
}

/** Signatures by the witness's own keys that verify; whatever else it sent is dropped. */
function cosignatures(
  keys: ReadonlyMap<string, NoteKey>,
  signatures: readonly NoteSignature[],
  latest: Latest,
  askedMs: number,
): Answered {
  const { note } = parseCheckpoint(latest.note);
  const valid: NoteSignature[] = [];
  const opinions = [...keys].map(([name, key]): readonly [string, Opinion] => {
    for (const signature of signatures) {
      if (signature.name !== key.name || signature.id !== key.id) continue;
      const time = timeOf(note.text, signature, key);
      if (time === undefined) continue;
      valid.push(signature);
      if (time * 1000 >= askedMs - clockToleranceMs) return [name, { kind: "agrees" }];
      const said = new Date(time * 1000).toISOString();
      const message = `its cosignature is of ${said}, long before it was asked: it is replayed, or a clock is wrong`;
      return [name, { kind: "stale", message }];
    }
    return [name, { kind: "silent", message: "what it answered holds no cosignature of this checkpoint by its key" }];
  });
  return { signatures: valid, opinions };
}

/** POSIX seconds of a cosignature that verifies; undefined for one that does not. */
function timeOf(text: string, signature: NoteSignature, key: NoteKey): number | undefined {
  try {
    const alone = parseCheckpoint(formatNote(text, [signature])).note;
    return verifyNote(alone, [key]).find((verified) => sameKey(verified.key, key))?.time ?? undefined;
  } catch {
    return undefined;
  }
}
