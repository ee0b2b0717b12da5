import { type Checkpoint, decodeEntry } from "@tally/evidence";
import type { Clock, Ledger } from "@tally/ledger";
import type { DeviceFolder } from "../folder/device-folder.ts";
import type { MirroredLedger } from "../plane/mirrored-ledger.ts";
import { skipSlots } from "../recorder/skip-slots.ts";
import { writeSyncState } from "../sync/sync-state.ts";
import { readRestoredMark, writeRestoredMark } from "./restored-mark.ts";

/**
 * Fetches this device's own entries back from the mirror and appends them as they were. The mark that says so is durable
 * before the first; the next run logs it as `restored`. May stop anywhere and be called again.
 *
 * @NOTE The salts of those records were drawn after the copy was made: with the copy they are gone, and so is what could open
 * their commitments. Their slots are never given to anyone else.
 */
export async function fetchBack(
  { ledger, folder, clock }: { readonly ledger: Ledger; readonly folder: DeviceFolder; readonly clock: Clock },
  mirror: MirroredLedger,
  head: Checkpoint,
): Promise<void> {
  const earlier = await readRestoredMark(folder.state);
  await writeRestoredMark(folder.state, { from: earlier?.from ?? ledger.size, to: head.size });
  let slots = 0;
  for await (const entries of mirror.entries(ledger.size, head)) {
    for (const entry of entries) {
      slots = Math.max(slots, slotsUsed(decodeEntry(entry)));
      ledger.append(entry);
    }
    await skipSlots(folder.salts, slots);
    await ledger.flush();
  }
  await writeSyncState(folder.state, { mirrored: head.size, at: clock.now() });
}

/** One above the highest salt slot that an entry names. */
function slotsUsed(value: unknown): number {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return 0;
  const items = value instanceof Map ? [...value.values()] : Object.values(value);
  const own = (value as { slot?: unknown }).slot;
  return items.reduce<number>((most, item) => Math.max(most, slotsUsed(item)), typeof own === "number" ? own + 1 : 0);
}
