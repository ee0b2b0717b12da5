import { type Digest, digestFromHash, emptyRoot, type Hash, type HeadLeaf, sha256, utf8 } from "@tally/evidence";
import type { Head, Mirror, MirroredLog } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";

/** The heads of one ledger as they were at one moment. */
interface LedgerHeads extends Pick<Partial<MirroredLog>, "pending" | "mirrored"> {
  readonly origin: string;
}

const maxNoteBytes = 1_000_000;

/** What a heads entry commits to: the newest head of every ledger, and the notes that its leaves name. */
export class LedgerHeadNotes {
  readonly #db: Database;
  readonly #blobs: BlobStore;
  /** Hashes of the notes that are stored already: a head that has not moved costs a round nothing. */
  readonly #kept = new WeakMap<Head, Hash>();

  /** What each origin's leaf was made of. */
  readonly #leaves = new Map<string, { pending: Head | undefined; mirrored: Head | undefined; leaf: HeadLeaf }>();
  /** Ledgers once they are there: they stay for as long as the plane runs. */
  readonly #logs = new Map<string, MirroredLog>();
  #order: { readonly of: readonly string[]; readonly sorted: readonly string[] } = { of: [], sorted: [] };

  constructor(db: Database, blobs: BlobStore) {
    this.#db = db;
    this.#blobs = blobs;
  }

  /**
   * The heads of these ledgers as leaves, sorted; the notes that they name are durable when it resolves. A head that has not
   * moved gives the same leaf again, and the same list of origins is sorted once: a round costs what changed.
   */
  async leaves(mirror: Pick<Mirror, "log">, origins: readonly string[]): Promise<readonly HeadLeaf[]> {
    if (this.#order.of !== origins) this.#order = { of: origins, sorted: sortOrigins(origins) };
    // Taken at one moment: ledgers move on while notes are written, and each note has to be the one that its leaf names.
    const heads = this.#order.sorted.map((origin): LedgerHeads => {
      const log = this.#logs.get(origin) ?? mirror.log(origin);
      if (log !== undefined) this.#logs.set(origin, log);
      return { origin, pending: log?.pending, mirrored: log?.mirrored };
    });
    await this.#keep(heads);
    return heads.map((head) => this.#leafOf(head));
  }

  /**
   * A heads entry names notes by their hash, and the mirror keeps only the newest: so they are kept here. All of a round wait
   * for the disk together, once they are blobs.
   */
  async #keep(heads: readonly LedgerHeads[]): Promise<void> {
    const fresh: { origin: string; head: Head; hash: Hash }[] = [];
    for (const { origin, pending, mirrored } of heads) {
      for (const head of new Set([pending, mirrored])) {
        if (head === undefined || this.#kept.has(head)) continue;
        const bytes = utf8(head.note);
        const hash = sha256(bytes);
        await this.#blobs.put(digestFromHash(hash), bytes);
        fresh.push({ origin, head, hash });
      }
    }
    if (fresh.length === 0) return;
    await this.#db.transaction(async (tx) => {
      for (const { origin, head, hash } of fresh) {
        await tx.run("INSERT INTO device_note (origin, size, note) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [
          origin,
          head.checkpoint.size,
          digestFromHash(hash),
        ]);
      }
    });
    for (const { head, hash } of fresh) this.#kept.set(head, hash);
  }

  #leafOf({ origin, pending, mirrored }: LedgerHeads): HeadLeaf {
    const before = this.#leaves.get(origin);
    if (before !== undefined && before.pending === pending && before.mirrored === mirrored) return before.leaf;
    const leaf: HeadLeaf = {
      origin,
      pendingSize: pending?.checkpoint.size ?? 0,
      pendingRoot: pending?.checkpoint.root ?? emptyRoot,
      pendingNoteHash: pending === undefined ? null : this.#kept.get(pending)!,
      mirroredSize: mirrored?.checkpoint.size ?? 0,
      mirroredRoot: mirrored?.checkpoint.root ?? emptyRoot,
    };
    this.#leaves.set(origin, { pending, mirrored, leaf });
    return leaf;
  }

  /** A ledger's checkpoint of that size, where a heads entry has named it. */
  async note(origin: string, size: number): Promise<Uint8Array | undefined> {
    const [row] = await this.#db.query<{ note: Digest }>("SELECT note FROM device_note WHERE origin = ? AND size = ?", [
      origin,
      size,
    ]);
    return row && this.#blobs.bytes(row.note, maxNoteBytes);
  }
}

/** By their UTF-8 bytes, as the leaves of a heads entry are. */
function sortOrigins(origins: readonly string[]): readonly string[] {
  return origins
    .map((origin) => ({ origin, key: Buffer.from(origin) }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ origin }) => origin);
}
