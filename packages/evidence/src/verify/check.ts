import { EvidenceError } from "../error.ts";

/** What came of one check: it held, it failed, or what it needs was not in the bundle. */
export type CheckResult = "good" | "bad" | "not made";

export interface Check {
  /** What was checked, a short name that stays the same: "witness quorum", "ordinals". */
  readonly name: string;
  /** What it was checked of: a log's origin, a device, a model. */
  readonly about: string;
  readonly result: CheckResult;
  /** Why, in words. */
  readonly reason: string;
  /** False for what an answer can do without; a required check that was not made leaves the answer unproven. */
  readonly required: boolean;
}

/** What a check throws where the bundle lacks something that it needs: nothing is wrong, and nothing is proven. */
export class Missing extends Error {}

/** Whether a check could not be made because the file could not be read, or changed meanwhile: nobody is to blame. */
export function isReadFailure(error: unknown): boolean {
  return error instanceof ReadFailure || (error instanceof EvidenceError && error.code === "source-changed");
}

/** What reading the bundle's file threw. */
export class ReadFailure extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Collects checks in the order in which they are made, and tells of each as it is made. */
export class Checklist {
  readonly #checks: Check[] = [];
  readonly #made: ((check: Check) => void) | undefined;

  constructor(made?: (check: Check) => void) {
    this.#made = made;
  }

  get checks(): readonly Check[] {
    return this.#checks;
  }

  good(name: string, about: string, reason: string): void {
    this.#add({ name, about, result: "good", reason, required: true });
  }

  bad(name: string, about: string, reason: string): void {
    this.#add({ name, about, result: "bad", reason, required: true });
  }

  /** Something required is missing: the answer is not proven. */
  missing(name: string, about: string, reason: string): void {
    this.#add({ name, about, result: "not made", reason, required: true });
  }

  /** Something that the answer can do without was not looked at. */
  skipped(name: string, about: string, reason: string): void {
    this.#add({ name, about, result: "not made", reason, required: false });
  }

  /** Runs a check that throws where it fails; its value, or undefined where it was bad or lacked something. */
  attempt<T>(name: string, about: string, make: () => T, reason: (value: T) => string): T | undefined {
    try {
      return this.#held(name, about, make(), reason);
    } catch (error) {
      return this.#failed(name, about, error);
    }
  }

  /** The same for a check that reads the bundle on the way. @throws what reading throws, which proves nothing */
  async attemptAsync<T>(
    name: string,
    about: string,
    make: () => Promise<T>,
    reason: (value: T) => string,
  ): Promise<T | undefined> {
    try {
      return this.#held(name, about, await make(), reason);
    } catch (error) {
      if (isReadFailure(error)) throw error;
      return this.#failed(name, about, error);
    }
  }

  #held<T>(name: string, about: string, value: T, reason: (value: T) => string): T {
    this.good(name, about, reason(value));
    return value;
  }

  #failed(name: string, about: string, error: unknown): undefined {
    const why = error instanceof Error ? error.message : String(error);
    if (error instanceof Missing) this.missing(name, about, why);
    else this.bad(name, about, why);
  }

  #add(check: Check): void {
    this.#checks.push(Object.freeze(check));
    this.#made?.(check);
  }
}
