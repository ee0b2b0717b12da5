import type { Device } from "../device.ts";
import type { FinishedErasure } from "../erasure/finish.ts";
import type { PackedSegment } from "../segments/pack-segments.ts";
import type { AnchorPolicy } from "../sync/anchor-policy.ts";
import type { SyncReport } from "../sync/sync.ts";

/** A sync, the segments packed after it, and where there were some, the sync that told the plane of them. */
export interface SyncRound extends SyncReport {
  readonly segments: readonly PackedSegment[];
  /** Erasures that the plane has been told of. */
  readonly erasures: readonly FinishedErasure[];
}

/** Told of each round that the loop made by itself. */
export type OnRound = (outcome: { readonly round: SyncRound } | { readonly error: unknown }) => void;

const longestPauseMs = 10 * 60_000;

/** One round: sync, pack what capture kept, bring erasures to their end, and sync again if segments were packed. */
export async function syncRound(device: Device, anchor: AnchorPolicy = "always"): Promise<SyncRound> {
  const report = await device.sync(anchor);
  const segments = await device.packSegments();
  if (segments.length === 0) return { ...report, segments, erasures: await device.finishErasures() };
  const second = await device.sync(anchor);
  const erasures = await device.finishErasures();
  const blobs = [...report.blobs, ...second.blobs];
  return { ...second, sent: report.sent + second.sent, blobs, segments, erasures };
}

/**
 * Makes rounds until it is stopped: one every `everyMs`, and after failures at growing distance, up to ten minutes. The pause
 * varies by a tenth, so that a fleet that lost its plane together does not come back all at once.
 */
export class SyncLoop {
  readonly #device: Device;
  readonly #everyMs: number;
  readonly #onRound: OnRound;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;

  constructor(device: Device, everyMs: number, onRound: OnRound) {
    this.#device = device;
    this.#everyMs = everyMs;
    this.#onRound = onRound;
  }

  start(): void {
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#stopped) return;
    const pause = Math.min(this.#everyMs * 2 ** this.#failures, Math.max(longestPauseMs, this.#everyMs));
    this.#timer = setTimeout(() => void this.#round(), pause * (0.9 + 0.2 * Math.random()));
  }

  async #round(): Promise<void> {
    try {
      const round = await syncRound(this.#device, "when-due");
      this.#failures = 0;
      this.#onRound({ round });
    } catch (error) {
      this.#failures += 1;
      if (!this.#stopped) this.#onRound({ error });
    }
    this.#schedule();
  }
}
