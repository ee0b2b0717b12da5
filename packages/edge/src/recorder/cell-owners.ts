import type { FileHandle } from "node:fs/promises";
import { openOrCreate, readAll, writeAll } from "./shared-write.ts";

/** A cell and the number of its subject. */
interface OwnedCell {
  readonly cell: number;
  readonly number: number;
}

const ownerBytes = 4;
const pageBytes = 64 * 1024;

/**
 * The keystore's file `owners`: for each cell a u32, little-endian, the number of its subject, 0 where the subject is unknown.
 * Owners of cells that were just taken are written together, by whoever writes next.
 */
export class CellOwners {
  readonly file: FileHandle;
  /** Of cells that were taken and are not on disk yet. */
  readonly #unwritten: OwnedCell[] = [];

  private constructor(file: FileHandle) {
    this.file = file;
  }

  static async open(path: string): Promise<CellOwners> {
    return new CellOwners(await openOrCreate(path));
  }

  /** The number of a cell's subject. */
  async of(cell: number): Promise<number> {
    const owner = Buffer.alloc(ownerBytes);
    return (await readAll(this.file, owner, cell * ownerBytes)) < ownerBytes ? 0 : owner.readUInt32LE();
  }

  /** As `of`, with a page of the file in memory: fast for cells in their order. */
  reader(): (cell: number) => Promise<number> {
    const page = Buffer.alloc(pageBytes);
    let first = -1;
    return async (cell) => {
      const at = cell * ownerBytes;
      const start = at - (at % pageBytes);
      if (start !== first) {
        page.fill(0);
        await readAll(this.file, page, start);
        first = start;
      }
      return page.readUInt32LE(at - start);
    };
  }

  /** Says whose a cell is; `writing` makes it durable. */
  own(cell: number, number: number): void {
    this.#unwritten.push({ cell, number });
  }

  /** What is to be written now, after `first`: all that were owned until it runs, and the same ones again where it runs again. */
  writing(first?: () => Promise<void>): () => Promise<void> {
    let owners: readonly OwnedCell[] | undefined;
    return async () => {
      await first?.();
      owners ??= this.#unwritten.splice(0);
      await this.#write(owners);
    };
  }

  /** Neighbours together: cells are taken in their order. */
  async #write(cells: readonly OwnedCell[]): Promise<void> {
    for (let at = 0; at < cells.length; ) {
      const { cell: first } = cells[at]!;
      let end = at + 1;
      while (end < cells.length && cells[end]!.cell === first + end - at) end += 1;
      const owners = Buffer.alloc((end - at) * ownerBytes);
      for (let i = at; i < end; i++) owners.writeUInt32LE(cells[i]!.number, (i - at) * ownerBytes);
      await writeAll(this.file, owners, first * ownerBytes);
      at = end;
    }
  }
}
