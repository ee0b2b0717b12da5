/**
 * Remembers what was made from a key's bytes, up to `limit` keys; the one added first goes first. Keyed by the bytes'
 * content, because callers parse the same key again and again.
 */
export class KeyCache<T> {
  readonly #limit: number;
  readonly #made = new Map<string, T>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(bytes: Uint8Array, make: () => T): T {
    const name = bytes.toBase64();
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const made = make();
    if (this.#made.size >= this.#limit) {
      const [oldest] = this.#made.keys();
      this.#made.delete(oldest!);
    }
    this.#made.set(name, made);
    return made;
  }
}
