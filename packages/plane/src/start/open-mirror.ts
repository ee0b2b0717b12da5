import { join } from "node:path";
import { Mirror } from "@tally/ledger";
import type { Fleet } from "../fleet/fleet.ts";
import { EntryIndex } from "../mirror/entry-index.ts";
import type { Metrics } from "../operation/metrics.ts";
import type { Stores } from "./open-stores.ts";

interface MirrorParts extends Pick<Stores, "keys" | "db" | "clock"> {
  readonly dir: string;
  readonly fleet: Fleet;
  readonly metrics: Metrics;
}

/** Opens the devices' mirrored ledgers, and lets index and fleet catch up with them; `opened` closes them. */
export async function openMirror(
  { dir, keys, db, clock, fleet, metrics }: MirrorParts,
  opened: AsyncDisposableStack,
): Promise<Mirror> {
  const index = new EntryIndex(db);
  const mirror = await Mirror.open({
    dir: join(dir, "mirror"),
    witness: keys.witness,
    mirror: keys.mirror,
    keySet: (origin, size) => fleet.admission(origin, size),
    inspect: {
      async check(log, from, entries) {
        await index.check(log, from, entries);
        metrics.entries(entries.ends.length);
      },
      stored: (log) => index.stored(log),
    },
    onConflict: (conflict) => fleet.onConflict(conflict),
    onPending: (origin) => fleet.onHeard(origin),
    onMirrored: (origin) => fleet.onHeard(origin),
    clock,
  });
  opened.defer(() => mirror.close());
  for (const origin of mirror.origins()) {
    await index.catchUp(mirror.log(origin)!);
    // A conflict is kept by the mirror before the plane hears of it, and a kill may come in between.
    for (const conflict of await mirror.conflicts(origin)) await fleet.onConflict(conflict);
  }
  return mirror;
}
