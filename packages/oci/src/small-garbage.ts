import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * For a process that does nothing but move many bytes: garbage is collected in small lots, from here on until it ends. What a socket
 * delivers lies in buffers of 64 KiB that are garbage at once, and each holds its memory until the young generation is collected.
 * That grows to 32 MiB of small objects, behind which up to a hundred more of buffers wait, and the whole heap is collected because
 * of them. Measured while a model is pulled and pushed: 80 MiB and a third of the CPU less.
 */
export function collectGarbageSoon(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

const lot = 16 * 1024 * 1024;
let passed = 0;
let collectYoung: (() => void) | undefined;

/**
 * For a process that has other work too, which a small young generation would slow: told of bytes that passed through in buffers, and
 * collects the young generation after each 16 MiB of them.
 */
export function passedThrough(bytes: number): void {
  passed += bytes;
  if (passed < lot) return;
  passed = 0;
  collectYoung ??= collector();
  collectYoung();
}

function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options: { type: "minor" }) => void;
  return () => gc({ type: "minor" });
}
