import type { Digest } from "@tally/evidence";
import { baseOf, type Carried, type ModelKit, OciError, readModelKit, resolveBases } from "@tally/oci";
import type { NoteCheck } from "./carry-check.ts";
import { throwOwn } from "./disk-error.ts";

/** A kit in the layout that a model names as its base. */
export interface CarriedBase {
  /** As the Kitfile has it. */
  readonly name: string;
  readonly manifest: Digest;
  readonly repository: string;
  /** Null where the Kitfile names it by its digest. */
  readonly tag: string | null;
  /** The registry that the Kitfile names; null where that is left open. */
  readonly host: string | null;
}

/**
 * The bases of a model, by its Kitfile, which its digest covers. Which manifest a tag leads to is the layout's word, so what is found
 * is believed only as far as a signature is over its files.
 *
 * @returns undefined where one is not here, or they are no chain: then nothing can unpack the model, and that is told
 */
export async function findBases(
  carried: Carried,
  model: Digest,
  note: NoteCheck,
): Promise<readonly CarriedBase[] | undefined> {
  const named = await namedBase(carried, model);
  if (named === undefined) return [];
  try {
    const found = await resolveBases(named.kit, carried);
    return found.map(({ text, host, repository, reference, kit: base }) => ({
      name: text,
      manifest: base.resolved.digest,
      repository,
      tag: reference.includes(":") ? null : reference,
      host: host ?? null,
    }));
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throwOwn(error);
    const isMissing = error.code === "not-found";
    const reason = isMissing
      ? "it, or a base of its own, did not come along: without it nobody can unpack the model"
      : error.message;
    note("base", named.text, isMissing ? "not made" : "bad", reason);
    return undefined;
  }
}

/** What cannot be read as a model names none; it says so where its files are looked for. */
async function namedBase(carried: Carried, model: Digest): Promise<{ kit: ModelKit; text: string } | undefined> {
  try {
    const kit = await readModelKit(carried, model);
    const base = kit.kitfile && baseOf(kit.kitfile);
    return base && { kit, text: base.text };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throwOwn(error);
    return undefined;
  }
}
