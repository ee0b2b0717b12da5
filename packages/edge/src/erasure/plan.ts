import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { asLeafHash, type Digest, type ErasedRecord, type ErasedSegment, fromHex, toHex } from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { asCount, asList, asOneOf, asText, type LooseObject, parseObject } from "../folder/json.ts";

/**
 * How far an erasure is. `destroy`: keys and payloads go, at once and also after a stop in between. `replace`: segments that
 * the plane has are replaced. `state`: the statements are signed, and wait for the plane. `done`: it has them.
 */
export const erasureSteps = ["destroy", "replace", "state", "done"] as const;
export type ErasureStep = (typeof erasureSteps)[number];

/** An erasure, on disk before anything of it is done, so that a stop anywhere only delays it. Names nobody. */
export interface ErasurePlan {
  /** The file's name. */
  readonly id: number;
  /** The ledger. */
  readonly origin: string;
  readonly step: ErasureStep;
  /** Number of the subject whose key goes; null where single records are erased. */
  readonly subject: number | null;
  /** Slots of records whose own keys go. */
  readonly slots: readonly number[];
  /** Records, and labels of them, by index. */
  readonly records: readonly ErasedRecord[];
  /** Segments replaced so far. */
  readonly segments: readonly ErasedSegment[];
  /** The statements' envelopes, in base64, once signed. */
  readonly envelopes: readonly string[];
  /** Digests of the envelopes. */
  readonly statements: readonly Digest[];
}

const code = "damaged";

/** The erasures of a device, one file each: `state/erasures/1.json`. Those that are done stay: they say what was erased. */
export class ErasurePlans {
  readonly #folder: string;

  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, "erasures");
  }

  /** All, in the order in which they were begun. */
  async all(): Promise<readonly ErasurePlan[]> {
    const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException): string[] => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    const ids = names.flatMap((name) => /^(\d{1,15})\.json$/.exec(name)?.[1] ?? []).map(Number);
    return Promise.all(ids.sort((a, b) => a - b).map((id) => this.#read(id)));
  }

  /** Begins one; durable when it resolves. */
  async begin(plan: Pick<ErasurePlan, "origin" | "subject" | "slots" | "records">): Promise<ErasurePlan> {
    const last = (await this.all()).at(-1)?.id ?? 0;
    return this.keep({ ...plan, id: last + 1, step: "destroy", segments: [], envelopes: [], statements: [] });
  }

  /** Replaces a plan by how it stands now, durably. */
  async keep(plan: ErasurePlan): Promise<ErasurePlan> {
    const records = plan.records.map(({ index, leaf }) => [index, toHex(leaf)]);
    await writeDurably(this.#path(plan.id), `${JSON.stringify({ ...plan, records })}\n`);
    return plan;
  }

  async #read(id: number): Promise<ErasurePlan> {
    const path = this.#path(id);
    const bytes = await readIfPresent(path);
    if (bytes === undefined) throw new EdgeError(code, `${path} is gone`);
    const plan = parseObject(new TextDecoder().decode(bytes), path, code);
    return {
      id,
      origin: asText(plan.origin, `${path}: origin`, code),
      step: asOneOf(plan.step, erasureSteps, `${path}: step`, code),
      subject: plan.subject === null ? null : asCount(plan.subject, `${path}: subject`, code, 1),
      slots: asList(plan.slots, `${path}: slots`, code).map((slot) => asCount(slot, `${path}: slots`, code)),
      records: asList(plan.records, `${path}: records`, code).map((item) => {
        const [index, leaf] = asList(item, `${path}: records`, code);
        return {
          index: asCount(index, `${path}: records`, code),
          leaf: asLeafHash(fromHex(asText(leaf, `${path}: records`, code))),
        };
      }),
      segments: asList(plan.segments, `${path}: segments`, code) as readonly ErasedSegment[],
      envelopes: textsIn(plan, "envelopes", path),
      statements: textsIn(plan, "statements", path) as readonly Digest[],
    };
  }

  #path(id: number): string {
    return join(this.#folder, `${id}.json`);
  }
}

function textsIn(plan: LooseObject, name: string, path: string): readonly string[] {
  return asList(plan[name], `${path}: ${name}`, code).map((item) => asText(item, `${path}: ${name}`, code));
}
