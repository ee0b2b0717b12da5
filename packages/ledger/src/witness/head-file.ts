import { type Checkpoint, fromUtf8, parseCheckpoint, utf8 } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import { type Files, writeDurably } from "../files/index.ts";

/** A checkpoint that was vouched for. */
export interface Head {
  readonly checkpoint: Checkpoint;
  /** The log's own note: its text with the log's signatures and no others. */
  readonly note: string;
  /** Our cosignature lines; appended to `note` they make the note that monitors read. */
  readonly cosignatures: string;
  /** POSIX seconds of those cosignatures. */
  readonly time: number;
}

const FORMAT = "tally-head/v1";

/** Replaces the head in one step: after a crash there is the old or the new one, and after this resolves the new. */
export async function writeHead(files: Files, path: string, head: Head): Promise<void> {
  const { note, cosignatures, time } = head;
  await writeDurably(files, path, utf8(`${JSON.stringify({ format: FORMAT, time, note, cosignatures }, null, 1)}\n`));
}

/** The stored head; undefined when there is none. LedgerError `damaged` when it cannot be read. */
export async function readHead(files: Files, path: string): Promise<Head | undefined> {
  const bytes = await files.readWhole(path);
  if (bytes === undefined) return undefined;
  try {
    const { format, time, note, cosignatures } = JSON.parse(fromUtf8(bytes)) as Record<string, unknown>;
    if (format !== FORMAT)
      throw new LedgerError("format-unknown", `${path} has format ${String(format)}, not ${FORMAT}`);
    if (typeof note !== "string" || typeof cosignatures !== "string" || !Number.isSafeInteger(time)) {
      throw new TypeError("a member is missing or of another type");
    }
    return Object.freeze({ checkpoint: parseCheckpoint(note).checkpoint, note, cosignatures, time: time as number });
  } catch (error) {
    if (error instanceof LedgerError) throw error;
    throw new LedgerError("damaged", `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
