import type { SignedCheckpoint } from "../checkpoint-file.ts";
import { type Conflict, convictionOf } from "../conflicts/conflict.ts";
import type { MirroredFolder } from "./mirrored-log.ts";
import type { VerifiedPackage } from "./verify-package.ts";

/**
 * Called with verified entries [from, from + entries.length) of a log, in order, each once, before they are stored. It may
 * be called again from the same index when storing failed or the process stopped between. See ConvictionError.
 */
export type Inspect = (origin: string, from: number, entries: Uint8Array[]) => Promise<void>;

/**
 * Stores what is new in verified packages, in one commit, inside the log's queue. What another upload stored meanwhile is
 * skipped: both are proven to be in consistent trees, so they are the same entries.
 *
 * @returns the conflict, when `inspect` convicts a package; those before it are stored.
 */
export async function commitPackages(
  folder: MirroredFolder,
  packages: readonly VerifiedPackage[],
  tree: SignedCheckpoint,
  inspect: Inspect | undefined,
): Promise<Conflict | undefined> {
  await folder.recover();
  const fresh: VerifiedPackage[] = [];
  let conflict: Conflict | undefined;
  for (const received of packages) {
    const known = Math.max(0, folder.nextEntry - received.start);
    if (known >= received.entries.length) continue;
    const rest = { ...received, entries: received.entries.slice(known), leaves: received.leaves.slice(known) };
    try {
      await inspect?.(folder.origin, received.start + known, [...rest.entries]);
    } catch (error) {
      const conviction = convictionOf(error);
      if (conviction === undefined) throw error;
      conflict = await describe(folder, received, tree, conviction);
      break;
    }
    fresh.push(rest);
  }
  if (fresh.length > 0) {
    await folder.append(
      fresh.flatMap(({ entries }) => entries),
      fresh.flatMap(({ leaves }) => leaves),
    );
  }
  return conflict;
}

async function describe(
  folder: MirroredFolder,
  { aligned, start, end, entries, proof }: VerifiedPackage,
  { note }: SignedCheckpoint,
  conviction: Pick<Conflict, "kind" | "reason">,
): Promise<Conflict> {
  const before = start > aligned ? await Array.fromAsync(folder.entries(aligned, start)) : [];
  const convicting = { start: aligned, end, entries: [...before, ...entries] };
  return { origin: folder.origin, ...conviction, signed: note, offered: note, proof, old: start, entries: convicting };
}
