import type { Ledger } from "@tally/ledger";

/** Signs what has gathered when it has become much. Who needs a signature at once seals, or records in `sealed` mode. */
export class AutoSeal {
  readonly #ledger: Ledger;
  readonly #every: number;
  #watched: Promise<void> | undefined;
  #sealing = false;

  /** @param every entries after which the ledger is signed. */
  constructor(ledger: Ledger, every: number) {
    this.#ledger = ledger;
    this.#every = every;
  }

  /** To be called with the `committed` of each entry: all entries of a group share it, and it is looked at once. */
  watch(committed: Promise<void>): void {
    if (committed === this.#watched) return;
    this.#watched = committed;
    committed.then(
      () => this.#sealIfDue(),
      () => {},
    );
  }

  #sealIfDue(): void {
    const sealed = this.#ledger.latest?.checkpoint.size ?? 0;
    if (this.#sealing || this.#ledger.size - sealed < this.#every) return;
    // What gathers meanwhile waits for the next time.
    this.#sealing = true;
    // A seal that fails leaves the ledger refusing the next record, which says why.
    const over = () => {
      this.#sealing = false;
    };
    this.#ledger.seal().then(over, over);
  }
}
