import { join } from "node:path";
import { type Entry, encodeEntry } from "@tally/evidence";
import { type Clock, Ledger } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import { fleetOrigin, logOrigin, type PlaneKeys } from "../keys/plane-keys.ts";
import { SigningClock } from "./signing-clock.ts";

/** An entry without the time, which the log's own clock gives. */
export type NewEntry = Entry extends infer E ? (E extends { time: number } ? Omit<E, "time"> : never) : never;

/** The plane's two ledgers. */
export class PlaneLogs {
  readonly log: Ledger;
  readonly fleet: Ledger;
  readonly #clock: Clock;

  private constructor(log: Ledger, fleet: Ledger, clock: Clock) {
    this.log = log;
    this.fleet = fleet;
    this.#clock = clock;
  }

  /** Opens both; a new fleet log begins with the plane's own key set. */
  static async open(dir: string, plane: string, keys: PlaneKeys, clock: Clock): Promise<PlaneLogs> {
    const signing = new SigningClock(clock);
    const open = async (name: string, origin: string, signers: PlaneKeys["log"]) => {
      const ledger = await Ledger.open({
        dir: join(dir, name),
        origin,
        signers,
        clock: signing,
        checkpointTime: "clock",
      });
      signing.follow(ledger.latest?.note);
      if (ledger.damage === undefined) return ledger;
      await ledger.close();
      throw new PlaneError(
        "refuses-to-sign",
        `the log ${origin} is damaged at entry ${ledger.damage.index}: ${ledger.damage.what}`,
        {
          hint: `\`tally ledger check ${join(dir, name)}\` says more; restore the newest backup`,
        },
      );
    };
    const fleet = await open("fleet", fleetOrigin(plane), keys.fleet);
    const log = await open("log", logOrigin(plane), keys.log);
    const logs = new PlaneLogs(log, fleet, clock);
    if (fleet.size === 0) await logs.append("fleet", { kind: "keys", origin: plane, fromSize: 0, keySet: keys.keySet });
    return logs;
  }

  /** Appends and resolves with the index once the entry is durable. */
  async append(to: "log" | "fleet", entry: NewEntry): Promise<number> {
    try {
      const { index, committed } = this[to].append(encodeEntry({ time: this.#clock.now(), ...entry } as Entry));
      await committed;
      return index;
    } catch (cause) {
      throw this.problem ?? cause;
    }
  }

  /** A log that could not be written takes nothing more until the plane is started again, which finds out what is there. */
  get problem(): PlaneError | undefined {
    const failed = [this.log, this.fleet].find(({ failure }) => failure !== undefined);
    if (failed === undefined) return undefined;
    const { failure: cause, origin } = failed;
    return new PlaneError("internal", `the log ${origin} takes nothing more: ${cause!.message}`, {
      cause,
      hint: "make room or repair the disk, then restart the plane; what was acknowledged is kept",
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.log.close(), this.fleet.close()]);
  }
}
