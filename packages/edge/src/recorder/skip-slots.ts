import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { keyBytes } from "./salt-derivation.ts";
import { openOrCreate } from "./shared-write.ts";

/**
 * Makes slots below `end` used ones, as slots that were erased: entries name them, and their salts are gone. `folder` is the
 * keystore's, which nobody may have open.
 */
export async function skipSlots(folder: string, end: number): Promise<void> {
  if (end === 0) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const cells = await openOrCreate(join(folder, "cells"));
  try {
    const least = Math.ceil(end / 2) * keyBytes;
    if ((await cells.stat()).size >= least) return;
    await cells.truncate(least);
    await cells.sync();
  } finally {
    await cells.close();
  }
}
