import { type Hash, type PackedEntries, packedEntry } from "@tally/evidence";
import type { SignedCheckpoint } from "../checkpoint-file.ts";
import { type Conflict, convictionOf } from "../conflicts/conflict.ts";
import type { MirroredFolder, MirroredLog } from "./mirrored-log.ts";
import { dropEntries, joinBytes, joinEntries } from "./packed-entries.ts";
import { PACKAGE_ENTRIES } from "./upload-body.ts";
import type { VerifiedPackage } from "./verify-package.ts";

/** Looks at what a mirror takes in. Calls for one log never overlap. */
export interface Inspector {
  /**
   * Told of verified entries from index `from` on, in order, before they are stored. They may come again from the same index when
   * storing failed or the process stopped between. What it throws decides: see ConvictionError.
   */
  check(log: MirroredLog, from: number, entries: PackedEntries): Promise<void> | void;
  /** Told when what was checked has been stored, or has failed to be: entries up to `log.nextEntry` are durable. */
  stored?(log: MirroredLog): Promise<void> | void;
}

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
  inspect: Inspector | undefined,
): Promise<Conflict | undefined> {
  await folder.recover();
  const entries: PackedEntries[] = [];
  const level0: Uint8Array[] = [];
  const roots = new Map<number, Hash>();
  let conflict: Conflict | undefined;
  for (const received of packages) {
    const known = Math.max(0, folder.nextEntry - received.start);
    if (known >= received.packed.ends.length) continue;
    const fresh = dropEntries(received.packed, known);
    try {
      await inspect?.check(folder, received.start + known, fresh);
    } catch (error) {
      const conviction = convictionOf(error);
      if (conviction === undefined) throw error;
      conflict = await describe(folder, received, tree, conviction);
      break;
    }
    entries.push(fresh);
    level0.push(received.level0.subarray(32 * known));
    const { aligned, end, root } = received;
    if (end - aligned === PACKAGE_ENTRIES) roots.set(aligned / PACKAGE_ENTRIES, root);
  }
  if (entries.length > 0) {
    try {
      const { bytes, ends } = joinEntries(entries);
      await folder.append({ count: ends.length, bytes, ends, level0: joinBytes(level0), roots });
    } finally {
      await inspect?.stored?.(folder);
    }
  }
  return conflict;
}

async function describe(
  folder: MirroredFolder,
  { aligned, start, end, packed, proof }: VerifiedPackage,
  { note }: SignedCheckpoint,
  conviction: Pick<Conflict, "kind" | "reason">,
): Promise<Conflict> {
  const before = start > aligned ? await Array.fromAsync(folder.entries(aligned, start)) : [];
  const received = Array.from(packed.ends, (_, i) => packedEntry(packed, i));
  const convicting = { start: aligned, end, entries: [...before, ...received] };
  return { origin: folder.origin, ...conviction, signed: note, offered: note, proof, old: start, entries: convicting };
}
