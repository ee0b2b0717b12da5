import {
  type Digest,
  digestFromHash,
  emptyRoot,
  type Hash,
  type HeadLeaf,
  sha256,
  sortHeadLeaves,
  utf8,
} from "@tally/evidence";
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

  constructor(db: Database, blobs: BlobStore) {
    this.#db = db;
    this.#blobs = blobs;
  }

  /** The heads of these ledgers as leaves, sorted; the notes that they name are durable when it resolves. */
  async leaves(mirror: Pick<Mirror, "log">, origins: readonly string[]): Promise<readonly HeadLeaf[]> {
    // Taken at one moment: ledgers move on while notes are written, and each note has to be the one that its leaf names.
    const heads = origins.map((origin): LedgerHeads => {
      const log = mirror.log(origin);
      return { origin, pending: log?.pending, mirrored: log?.mirrored };
    });
    await this.#keep(heads);
    return sortHeadLeaves(heads.map((head) => this.#leafOf(head)));
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
    return {
      origin,
      pendingSize: pending?.checkpoint.size ?? 0,
      pendingRoot: pending?.checkpoint.root ?? emptyRoot,
      pendingNoteHash: pending === undefined ? null : this.#kept.get(pending)!,
      mirroredSize: mirrored?.checkpoint.size ?? 0,
      mirroredRoot: mirrored?.checkpoint.root ?? emptyRoot,
    };
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
