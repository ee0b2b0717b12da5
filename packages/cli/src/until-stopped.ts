import type { Terminal } from "./terminal/index.ts";

/** Resolves on SIGINT or SIGTERM: how commands that serve wait. */
export function untilStopped({ stop }: Terminal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => stop.addEventListener("abort", () => resolve(), { once: true }));
}
