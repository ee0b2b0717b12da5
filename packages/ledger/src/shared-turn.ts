/**
 * Runs one thing at a time for many callers: who calls while it runs shares the next run, which begins after theirs was asked for.
 */
export class SharedTurn<T> {
  readonly #run: () => Promise<T>;
  #running: Promise<T> | undefined;
  #following: Promise<T> | undefined;

  constructor(run: () => Promise<T>) {
    this.#run = run;
  }

  next(): Promise<T> {
    if (this.#running === undefined) return this.#start();
    if (this.#following === undefined) {
      const follow = () => {
        this.#following = undefined;
        return this.#start();
      };
      this.#following = this.#running.then(follow, follow);
    }
    return this.#following;
  }

  /** Resolves when nothing runs and nothing follows. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await Promise.allSettled([this.#running, this.#following]);
  }

  #start(): Promise<T> {
    const running = this.#run();
    this.#running = running;
    const done = () => {
      if (this.#running === running) this.#running = undefined;
    };
    running.then(done, done);
    return running;
  }
}
