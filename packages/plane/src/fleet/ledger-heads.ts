import { type Digest, digestOf, emptyRoot, type HeadLeaf, sha256, sortHeadLeaves, utf8 } from "@tally/evidence";
import type { Mirror, MirroredLog } from "@tally/ledger";
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
  /** Notes that are stored already, so that not every round asks for them. */
  readonly #kept = new Set<string>();

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
    for (const head of heads) await this.#keep(head);
    return sortHeadLeaves(heads.map(leafOf));
  }

  /** A heads entry names notes by their hash, and the mirror keeps only the newest: so they are kept here. */
  async #keep({ origin, pending, mirrored }: LedgerHeads): Promise<void> {
    for (const head of [pending, mirrored]) {
      if (head === undefined) continue;
      const { size } = head.checkpoint;
      const bytes = utf8(head.note);
      const key = `${origin} ${digestOf(bytes)}`;
      if (this.#kept.has(key)) continue;
      await this.#blobs.put(digestOf(bytes), bytes);
      await this.#db.run("INSERT INTO device_note (origin, size, note) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [
        origin,
        size,
        digestOf(bytes),
      ]);
      if (this.#kept.size > 10_000) this.#kept.clear();
      this.#kept.add(key);
    }
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

function leafOf({ origin, pending, mirrored }: LedgerHeads): HeadLeaf {
  return {
    origin,
    pendingSize: pending?.checkpoint.size ?? 0,
    pendingRoot: pending?.checkpoint.root ?? emptyRoot,
    pendingNoteHash: pending === undefined ? null : sha256(utf8(pending.note)),
    mirroredSize: mirrored?.checkpoint.size ?? 0,
    mirroredRoot: mirrored?.checkpoint.root ?? emptyRoot,
  };
}
