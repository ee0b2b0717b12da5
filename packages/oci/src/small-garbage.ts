import { setFlagsFromString } from "node:v8";

/**
 * For a process that moves many bytes: garbage is collected in small lots, from here on until it ends. What a socket delivers lies in
 * buffers of 64 KiB that are garbage at once, and each holds its memory until the young generation is collected. That grows to 32 MiB of
 * small objects, behind which up to a hundred more of buffers wait, and the whole heap is collected because of them. Measured while a
 * model is pulled and pushed: 80 MiB and a third of the CPU less.
 */
export function collectGarbageSoon(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
