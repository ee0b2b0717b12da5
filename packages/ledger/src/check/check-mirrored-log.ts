import { basename, join } from "node:path";
import type { NoteKey } from "@tally/evidence";
import { ConflictStore } from "../conflicts/conflict-store.ts";
import { nodeFiles } from "../files/index.ts";
import { type Head, readHead } from "../witness/head-file.ts";
import { originHash } from "../witness/origin-folder.ts";
import type { CheckOptions, CheckReport } from "./check-ledger.ts";
import { checkLog } from "./check-log.ts";
import { findOrigin, readable } from "./find-origin.ts";
import { Problems } from "./problem.ts";
import { checkCosignatures, checkNote, type SignatureState, worstOf } from "./signatures.ts";

export interface MirroredCheckOptions extends CheckOptions {
  /** The mirror's own keys, where they are known: its cosignatures on what it keeps are verified too. */
  readonly cosigners?: { readonly witness: readonly NoteKey[]; readonly mirror: readonly NoteKey[] };
}

const PENDING = "pending.json";
const MIRRORED = "mirrored.json";

/**
 * `checkLedger` for one log of a mirror (`<mirror>/logs/<hash of the origin>`): its entries against the mirror checkpoint and, as
 * far as they reach, the pending one; both notes; the conflicts that are kept.
 */
export async function checkMirroredLog(dir: string, options: MirroredCheckOptions = {}): Promise<CheckReport> {
  const { keySet, cosigners, files = nodeFiles } = options;
  const problems = new Problems();
  const pending = await readable(problems, PENDING, () => readHead(files, join(dir, PENDING)));
  const mirrored = await readable(problems, MIRRORED, () => readHead(files, join(dir, MIRRORED)));
  const inner = new Problems();
  const known = (pending ?? mirrored)?.checkpoint.origin;
  const names = await files.list(join(dir, "log"));
  const origin =
    names.length === 0 && mirrored === undefined ? known : await findOrigin(files, join(dir, "log"), known, inner);
  for (const { where, what, ...place } of inner.all) problems.add(`log/${where}`, what, place);

  const states: SignatureState[] = [];
  for (const [where, head, keys] of [
    [PENDING, pending, cosigners?.witness],
    [MIRRORED, mirrored, cosigners?.mirror],
  ] as const) {
    if (head === undefined || origin === undefined) continue;
    checkPlace(dir, head, where, origin, problems);
    states.push(checkNote(head.note, { origin, where }, keySet, problems));
    if (keys !== undefined) states.push(checkCosignatures(head, where, keys, problems));
  }
  const log =
    origin === undefined
      ? { size: 0, tornBytes: 0 }
      : await checkEntries(dir, origin, pending, mirrored, options, problems);
  if (pending === undefined && !problems.has(PENDING) && (mirrored !== undefined || log.size > 0)) {
    problems.add(PENDING, "is missing; without it the log could begin anew behind what was cosigned", {
      hint: "restore it from a copy of the folder: the mirror does not take this log without it",
    });
  }
  await readable(problems, "conflicts", () =>
    new ConflictStore(files, join(dir, "conflicts")).read("equivocated", "diverged", "undecided"),
  );
  const { all } = problems;
  const signedSize = mirrored?.checkpoint.size ?? 0;
  return Object.freeze({
    ok: all.length === 0,
    origin,
    ...log,
    signedSize,
    signatures: worstOf(...states),
    problems: all,
  });
}

function checkPlace(dir: string, head: Head, where: string, origin: string, problems: Problems): void {
  if (head.checkpoint.origin !== origin) problems.add(where, `is of ${head.checkpoint.origin}, not of ${origin}`);
  const named = basename(dir);
  if (/^[0-9a-f]{64}$/.test(named) && named !== originHash(head.checkpoint.origin)) {
    problems.add(where, `is of ${head.checkpoint.origin}, whose folder is ${originHash(head.checkpoint.origin)}`, {
      hint: "put each log's files back into its own folder",
    });
  }
}

async function checkEntries(
  dir: string,
  origin: string,
  pending: Head | undefined,
  mirrored: Head | undefined,
  { files = nodeFiles }: MirroredCheckOptions,
  problems: Problems,
): Promise<{ size: number; tornBytes: number }> {
  const different: string[] = [];
  const inner = new Problems();
  const heads = [
    [PENDING, pending],
    [MIRRORED, mirrored],
  ] as const;
  const log = await checkLog({
    dir: join(dir, "log"),
    origin,
    sealed: mirrored?.checkpoint.size ?? 0,
    vouched: heads.flatMap(([where, head]) =>
      head === undefined
        ? []
        : [{ ...head.checkpoint, compared: (holds: boolean) => void (holds || different.push(where)) }],
    ),
    problems: inner,
    files,
  });
  for (const { where, what, ...place } of inner.all) problems.add(`log/${where}`, what, place);
  for (const where of different) {
    const { size } = (where === PENDING ? pending : mirrored)!.checkpoint;
    problems.add(where, `the first ${size} entries do not hash to its root: they were replaced, or it was`);
  }
  return log;
}
