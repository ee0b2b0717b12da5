import { createHash } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { CsvTable, type SegmentRow } from "@tally/edge";
import { type Digest, parseDigest } from "@tally/evidence";
import type { Doubt } from "../doubtful-segments.ts";
import { isWanted, type RowFilters } from "./filters.ts";
import type { Gathered, GatheredSegment } from "./gathered.ts";
import type { QuarantinedRows } from "./kept-out.ts";

export interface WrittenSet {
  readonly rows: number;
  readonly segments: readonly GatheredSegment[];
  /** What a training statement names. */
  readonly files: readonly { readonly name: string; readonly digest: Digest }[];
}

/**
 * Writes the rows that pass the filters, and that no quarantine leaves out, as `rows.csv` and `records.jsonl`, and where they come from as `segments.json`, one row in
 * memory at a time. Each file has its name only when it is whole and on the disk.
 */
export async function writeSet(
  dir: string,
  gathered: Gathered,
  filters: RowFilters,
  doubts: ReadonlyMap<string, Doubt>,
  quarantined: QuarantinedRows,
): Promise<WrittenSet> {
  const { sample } = filters;
  quarantined.restart();
  const isKept = (row: SegmentRow) =>
    isWanted(row, filters) && !quarantined.leavesOut(row) && isWanted(quarantined.shown(row), filters);
  const wanted = await gathered.select(isKept, sample?.seed ?? "");
  if (sample !== undefined) {
    await gathered.sample("rows" in sample.size ? sample.size.rows : Math.round(wanted * sample.size.share));
  }
  const table = new CsvTable();
  for await (const row of gathered.rows("kept")) table.add(quarantined.shown(row));

  const csv = await NewFile.open(dir, "rows.csv");
  const lines = await NewFile.open(dir, "records.jsonl");
  let rows = 0;
  try {
    await csv.write(table.head());
    for await (const found of gathered.rows("kept")) {
      const row = quarantined.shown(found);
      rows += 1;
      await csv.write(table.line(row));
      await lines.write(`${JSON.stringify(marked(row, doubts, quarantined.marksOf(row)))}\n`);
    }
  } catch (error) {
    await Promise.all([csv.abandon(), lines.abandon()]);
    throw error;
  }
  const files = [await csv.finish(), await lines.finish()];

  const segments = await gathered.segments();
  const list = await NewFile.open(dir, "segments.json");
  await list.write(
    `${JSON.stringify(
      segments.map((segment) => marked(segment, doubts, quarantined.marksOfRange(segment))),
      null,
      2,
    )}\n`,
  );
  await list.finish();
  return { rows, segments, files };
}

/** Says of what comes from a ledger in doubt that it does, and of what is under quarantine by which statements. */
function marked<T extends { readonly origin: string }>(
  item: T,
  doubts: ReadonlyMap<string, Doubt>,
  quarantined: readonly Digest[],
): T {
  const standing = doubts.get(item.origin);
  return {
    ...item,
    ...(standing !== undefined && { standing }),
    ...(quarantined.length > 0 && { quarantined }),
  };
}

/** Text is gathered up to here before it is written. */
const chunkCharacters = 256 * 1024;

/** A file that gets its name when it is complete, and its digest on the way. */
class NewFile {
  readonly #dir: string;
  readonly #name: string;
  readonly #handle: Awaited<ReturnType<typeof open>>;
  readonly #hash = createHash("sha256");
  #waiting: string[] = [];
  #length = 0;

  private constructor(dir: string, name: string, handle: Awaited<ReturnType<typeof open>>) {
    this.#dir = dir;
    this.#name = name;
    this.#handle = handle;
  }

  static async open(dir: string, name: string): Promise<NewFile> {
    return new NewFile(dir, name, await open(join(dir, `.${name}.part`), "w"));
  }

  async write(text: string): Promise<void> {
    this.#waiting.push(text);
    this.#length += text.length;
    if (this.#length >= chunkCharacters) await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#waiting.join(""));
    this.#waiting = [];
    this.#length = 0;
    this.#hash.update(bytes);
    await this.#handle.writeFile(bytes);
  }

  async finish(): Promise<{ readonly name: string; readonly digest: Digest }> {
    await this.#flush();
    await this.#handle.sync();
    await this.#handle.close();
    await rename(join(this.#dir, `.${this.#name}.part`), join(this.#dir, this.#name));
    return { name: this.#name, digest: parseDigest(`sha256:${this.#hash.digest("hex")}`) };
  }

  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }
}
