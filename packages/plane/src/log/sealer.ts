import type { HeadLeaf, NoteSigner } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import type { Logger } from "../operation/logger.ts";
import { changedHeads } from "./changed-heads.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { rootOfHeads } from "./head-encodings.ts";
import type { HeadsStore } from "./heads-store.ts";
import type { PlaneLogs } from "./plane-logs.ts";
import { askWitnessesFirst, type OwnLog, refusal } from "./start-check.ts";
import { contradicting } from "./witness-opinion.ts";
import type { Witnesses } from "./witnesses.ts";

export interface SealerOptions {
  readonly logs: PlaneLogs;
  readonly checkpoints: { readonly log: Checkpoints; readonly fleet: Checkpoints };
  readonly heads: HeadsStore;
  readonly witnesses: Witnesses;
  /** Those of the policy that the folder was last used with, where it was another one: they are asked before the first signature. */
  readonly earlierWitnesses?: Witnesses;
  /** What the logs are signed with: a log without a checkpoint is shown to its witnesses empty. */
  readonly signers: { readonly log: readonly NoteSigner[]; readonly fleet: readonly NoteSigner[] };
  /** What else has to hold before the first signature; rejects with `refuses-to-sign` or `not-ready`. */
  readonly require: () => Promise<void>;
  /** Called before the first signature, once everyone has been asked. */
  readonly onAgreed: () => Promise<void>;
  /** The newest head of every ledger admitted by the first `fleetSize` entries of the fleet log, sorted. */
  readonly currentHeads: (fleetSize: number) => Promise<readonly HeadLeaf[]>;
  readonly clock: Clock;
  /** Milliseconds between seals, at the least. */
  readonly intervalMs: number;
  readonly onError: (error: unknown) => void;
  readonly logger: Logger;
  /** Hears of every round: how many milliseconds, and whether it went through. */
  readonly onRound?: (ms: number, good: boolean) => void;
}

/** A cosignature older than this is renewed when someone asks for the newest checkpoint, so that anchors are fresh. */
const freshForMs = 3_000;
/** Nobody waits for witnesses again so soon after a round that ended without a fresh checkpoint. */
const restMs = 1_000;

/**
 * Seals the plane's logs: appends `heads` when a head moved, signs, has witnesses cosign, keeps the note. One round at a
 * time, at most one an interval. Before its first signature it shows its stored checkpoints to its witnesses, and signs
 * nothing while they could have cosigned more than it holds (evidence.md 2).
 */
export class Sealer {
  readonly #options: SealerOptions;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** When a round last ended without a fresh checkpoint, by the clock of the process, which does not jump. */
  #stale = Number.NEGATIVE_INFINITY;
  #agreed = false;
  #stopped = false;
  #waiting: (() => void)[] = [];
  #problem: PlaneError | undefined;
  /** The leaves of the newest heads entry, so that a round compares with what is in memory. */
  #sealed: { readonly index: number; readonly leaves: readonly HeadLeaf[] } | undefined;

  constructor(options: SealerOptions) {
    this.#options = options;
  }

  /** Why nothing is signed, if so. */
  get problem(): string | undefined {
    return this.#problem?.message;
  }

  /** What an operator can do about it. */
  get hint(): string | undefined {
    return this.#problem?.hint;
  }

  /** Something speaks against signing: the next round begins with asking again. */
  doubt(): void {
    this.#agreed = false;
  }

  start(): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(async () => {
      await this.seal().catch(this.#options.onError);
      this.#timer = undefined;
      this.start();
    }, this.#options.intervalMs);
  }

  /** One round now; while one is under way, which may have begun too early to see what has changed, all share the next. */
  seal(): Promise<void> {
    if (this.#round === undefined) return this.#begin();
    this.#next ??= this.#round
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.seal();
      });
    return this.#next;
  }

  #begin(): Promise<void> {
    const begun = performance.now();
    const told = (good: boolean) => this.#options.onRound?.(performance.now() - begun, good);
    const round = this.#sealOnce();
    round.then(
      () => told(true),
      () => told(false),
    );
    this.#round = round.finally(() => {
      this.#round = undefined;
      for (const wake of this.#waiting.splice(0)) wake();
    });
    return this.#round;
  }

  /** Waits until a cosigned checkpoint of the log covers entry `index`. @throws PlaneError `not-ready` after `timeoutMs`. */
  async covering(index: number, timeoutMs = 10_000): Promise<void> {
    const limit = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const newest = await this.#options.checkpoints.log.newest();
      if (newest !== undefined && newest.size > index) return;
      if (limit.aborted || this.#stopped) {
        throw new PlaneError("not-ready", `no cosigned checkpoint covers entry ${index} of the plane's log yet`, {
          hint: this.problem ?? "its witnesses may be down: GET /readyz says which",
        });
      }
      await new Promise<void>((wake) => {
        this.#waiting.push(wake);
        limit.addEventListener("abort", () => wake(), { once: true });
      });
    }
  }

  /**
   * Renews the newest checkpoint's cosignatures unless they are fresh. However many ask, there is one round, and not another
   * for a second after one that a slow witness made fail.
   */
  async refresh(): Promise<void> {
    if (await this.#isFresh()) return;
    if (this.#round !== undefined) return void (await this.#round.catch(() => {}));
    if (performance.now() - this.#stale <= restMs) return;
    await this.seal().catch(this.#options.onError);
    if (!(await this.#isFresh())) this.#stale = performance.now();
  }

  /** One round now, so that an answer knows what the plane knows. Rests as `refresh` does while a witness is slow. */
  async upToDate(): Promise<void> {
    if (performance.now() - this.#stale <= restMs) return;
    await this.seal().catch(this.#options.onError);
    if (!(await this.#isFresh())) this.#stale = performance.now();
  }

  async #isFresh(): Promise<boolean> {
    const newest = await this.#options.checkpoints.log.newest();
    return Math.abs(this.#options.clock.now() - (newest?.notBefore ?? 0)) <= freshForMs;
  }

  /** Ends the rounds; with `last`, after one more, so that what is durable is also sealed. */
  async stop(last = true): Promise<void> {
    clearTimeout(this.#timer);
    if (last && !this.#stopped) await this.seal().catch(this.#options.onError);
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#round?.catch(() => {});
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #sealOnce(): Promise<void> {
    try {
      const { checkpoints } = this.#options;
      if (!this.#agreed) await this.#askFirst();
      await this.#cosign("fleet");
      // Heads name a fleet checkpoint that everyone can be shown: one that its witnesses have cosigned.
      const fleet = await checkpoints.fleet.newest();
      if (fleet === undefined) return;
      await this.#appendHeads(fleet.size);
      await this.#cosign("log");
    } catch (error) {
      // Asked again in the next round: nothing is signed until they agree.
      if (error instanceof PlaneError && (error.code === "refuses-to-sign" || error.code === "not-ready")) {
        this.#agreed = false;
        this.#tell(error);
      }
      throw error;
    }
  }

  async #askFirst(): Promise<void> {
    const { witnesses, earlierWitnesses, require, onAgreed } = this.#options;
    await require();
    const logs = [this.#own("log"), this.#own("fleet")];
    for (const asked of [earlierWitnesses, witnesses]) if (asked !== undefined) await askWitnessesFirst(logs, asked);
    await onAgreed();
    this.#agreed = true;
    this.#tell(undefined);
  }

  #own(name: "log" | "fleet"): OwnLog {
    return { ledger: this.#options.logs[name], signers: this.#options.signers[name] };
  }

  #tell(problem: PlaneError | undefined): void {
    const before = this.#problem?.message;
    this.#problem = problem;
    const { logger } = this.#options;
    if (problem?.message === before) return;
    if (problem !== undefined) logger.error({ problem: problem.message, hint: problem.hint }, "nothing is signed");
    else logger.info({}, "signing goes on");
  }

  async #cosign(name: "log" | "fleet"): Promise<void> {
    const { witnesses, checkpoints, clock, logs } = this.#options;
    const ledger = logs[name];
    const newest = await checkpoints[name].newest();
    const stale = clock.now() - (newest?.notBefore ?? 0) > freshForMs && name === "log" && witnesses.any;
    if (newest?.size === ledger.size && !stale) return;
    const sealed = await ledger.seal();
    const { note, met, opinions } = await witnesses.cosign(ledger, sealed);
    const names = contradicting(witnesses.policy, opinions, witnesses.ignored);
    if (names !== undefined) throw refusal(ledger.origin, names, opinions);
    if (met) await checkpoints[name].keep(note, clock.now());
  }

  // A crash between the entry and its leaves leaves a heads entry that no answer uses: answers go by the stored leaves.
  async #appendHeads(fleetSize: number): Promise<void> {
    const { logs, heads, currentHeads } = this.#options;
    const leaves = await currentHeads(fleetSize);
    const last = await heads.last();
    if (last !== undefined && this.#sealed?.index !== last.index) {
      this.#sealed = { index: last.index, leaves: await heads.leaves(last.index) };
    }
    const changed = changedHeads(this.#sealed?.leaves ?? [], leaves);
    if (last !== undefined && changed.length === 0 && last.fleetSize === fleetSize) {
      this.#sealed = { index: last.index, leaves };
      return;
    }
    const fleetRoot = await logs.fleet.root(fleetSize);
    const entry = { kind: "heads", fleetSize, fleetRoot, n: leaves.length, root: rootOfHeads(leaves) } as const;
    const index = await logs.append("log", entry);
    await heads.keep({ index, fleetSize }, leaves, changed);
    this.#sealed = { index, leaves };
  }
}
