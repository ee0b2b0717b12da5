import { equalBytes, parseCheckpoint, type SignedNote, sameKey, utf8, verifyNote } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import type { Logger } from "../operation/logger.ts";
import { signedTime } from "./signing-clock.ts";
import type { OwnLog } from "./start-check.ts";

export interface SightingsOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logs: readonly OwnLog[];
  readonly logger: Logger;
}

interface Row {
  readonly note: string;
  readonly origin: string;
  readonly size: number;
  readonly shown_by: string;
  readonly at: number;
}

/** At most so many are kept: one is enough to stop signing. */
const kept = 100;

/**
 * Checkpoints of this plane's own logs that others hold and this folder does not. They carry the plane's signatures, so they
 * need nobody's word: whoever shows one, the folder is an older copy, or a second plane has the keys.
 */
export class Sightings {
  readonly #options: SightingsOptions;
  /** Called when one was kept. */
  onSighting: () => void = () => {};

  constructor(options: SightingsOptions) {
    this.#options = options;
  }

  /**
   * Takes a note that someone holds. One that this folder's logs contain is no news, and neither is one that the plane's keys
   * have not signed.
   */
  async take(text: string, shownBy: string): Promise<void> {
    const note = this.#open(text);
    if (note === undefined || (await this.#holds(note.log, note.size, note.root))) return;
    if (!signedByAll(note.signed, note.log)) return;
    const { db, clock, logger } = this.#options;
    const { origin } = note.log.ledger;
    const [{ n } = { n: 0 }] = await db.query<{ n: number }>("SELECT COUNT(*) AS n FROM own_checkpoint");
    if (n >= kept) return;
    await db.run(
      "INSERT INTO own_checkpoint (note, origin, size, shown_by, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      [text, origin, note.size, shownBy, clock.now()],
    );
    logger.error({ log: origin, size: note.size, shownBy }, "a checkpoint of this plane that its folder does not have");
    this.onSighting();
  }

  /**
   * Before the first signature, and after each sighting.
   *
   * @throws PlaneError `refuses-to-sign` while one is not part of this folder's logs; those that are by now are forgotten.
   */
  async requireNone(): Promise<void> {
    const { db } = this.#options;
    for (const row of await db.query<Row>("SELECT * FROM own_checkpoint ORDER BY size DESC")) {
      const note = this.#open(row.note);
      if (note !== undefined && !(await this.#holds(note.log, note.size, note.root))) throw refusal(row, note);
      await db.run("DELETE FROM own_checkpoint WHERE note = ?", [row.note]);
    }
  }

  /** The checkpoint, when it is of one of our logs. */
  #open(text: string) {
    try {
      const { checkpoint, note: signed } = parseCheckpoint(utf8(text));
      const log = this.#options.logs.find(({ ledger }) => ledger.origin === checkpoint.origin);
      return log && { log, signed, ...checkpoint, second: signedTime(signed), ours: log.ledger.size };
    } catch {
      return undefined;
    }
  }

  async #holds({ ledger }: OwnLog, size: number, root: Uint8Array): Promise<boolean> {
    return size <= ledger.size && equalBytes(await ledger.root(size), root);
  }
}

function signedByAll(note: SignedNote, { signers }: OwnLog): boolean {
  const keys = signers.map(({ key }) => key);
  try {
    const verified = verifyNote(note, keys);
    return keys.every((key) => verified.some((signature) => sameKey(signature.key, key)));
  } catch {
    return false;
  }
}

function refusal(
  { origin, size, shown_by }: Row,
  { second, ours }: { second: number | null; ours: number },
): PlaneError {
  const when = second === null ? "" : `, signed ${new Date(second * 1000).toISOString()}`;
  if (size <= ours) {
    return new PlaneError("refuses-to-sign", `${shown_by} holds another history of ${origin} at size ${size}${when}`, {
      hint: "two planes have signed with one key: find out which is the real one before going on",
    });
  }
  return new PlaneError(
    "refuses-to-sign",
    `${shown_by} holds ${origin} at size ${size}${when}; this folder has ${ours}: entries ${ours} to ${size - 1} are lost here`,
    {
      hint:
        "restore a later backup, or the plane's folder itself, whose log has these entries; where there is none, a plane of " +
        "this name cannot sign again without a fork: start one of another name and enrol the devices there",
    },
  );
}
