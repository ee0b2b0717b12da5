import {
  consistencyMember,
  consistencyRanges,
  deviceEntryMember,
  type Hash,
  type HashRange,
  inclusionRanges,
  type Member,
  proofFromRanges,
  sliceLength,
} from "@tally/evidence";
import type { LogReader } from "@tally/ledger";

/**
 * One ledger at one size, for an answer that proves many things of it: what two of its proofs have in common is looked up and
 * hashed once. It is let go with the ledger's turn.
 */
export class LedgerProver {
  readonly origin: string;
  readonly size: number;
  readonly #log: LogReader;
  readonly #hashes = new Map<string, Promise<Hash>>();
  readonly #entries = new Map<number, Uint8Array>();

  constructor(log: LogReader, size: number) {
    this.origin = log.origin;
    this.size = size;
    this.#log = log;
  }

  /** An entry. Its neighbours are read with it: an anchor stands before a summary, the first load behind genesis. */
  async entry(index: number): Promise<Uint8Array> {
    const held = this.#entries.get(index);
    if (held !== undefined) return held;
    const tile = index - (index % sliceLength);
    let at = Math.max(tile, index - 1);
    for await (const bytes of this.#log.entries(at, Math.min(tile + sliceLength, index + 2, this.size))) {
      this.#entries.set(at, bytes);
      at += 1;
    }
    return this.#entries.get(index) ?? this.#log.entry(index);
  }

  /** The entry with its inclusion proof. */
  async entryMember(index: number): Promise<Member> {
    const { origin, size } = this;
    const [bytes, proof] = await Promise.all([this.entry(index), this.#proof(inclusionRanges(index, size))]);
    return deviceEntryMember(origin, { index, bytes, size, proof });
  }

  /** That the ledger begins with its first `smaller` entries, which are fewer than all and at least one. */
  async consistencyMember(smaller: number): Promise<Member> {
    const { origin, size } = this;
    const proof = await this.#proof(consistencyRanges(smaller, size));
    return consistencyMember({ origin, smaller, larger: size, proof });
  }

  #proof(ranges: readonly HashRange[]): Promise<Hash[]> {
    return Promise.all(ranges.map((range) => this.#hash(range)));
  }

  #hash(range: HashRange): Promise<Hash> {
    const key = `${range[0]} ${range[1]}`;
    const known = this.#hashes.get(key);
    if (known !== undefined) return known;
    const hash = proofFromRanges([range], (level, index) => this.#log.node(level, index)).then(([only]) => only!);
    this.#hashes.set(key, hash);
    return hash;
  }
}
