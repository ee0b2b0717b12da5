import { join } from "node:path";
import { asHash, fromBase64, fromUtf8, type Hash, sha256, toBase64, toHex, utf8 } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import { type Files, writeDurably } from "../files/index.ts";
import type { Conflict, ConflictKind } from "./conflict.ts";

/** A refused offer as it is kept: a conflict, or one that could not be decided yet. */
export type KeptOffer = Omit<Conflict, "kind"> & { readonly kind: ConflictKind | "undecided" };

/** How many are kept per log. The first equivocations are the evidence and stay; of the others the latest stay. */
const LIMITS = { equivocated: 32, diverged: 32, undecided: 16 } as const;
const FORMAT = "tally-conflict/v1";
const NAME = /^(\d{8})-(equivocated|diverged|undecided)-([0-9a-f]{64})\.json$/;

interface KeptFile {
  readonly name: string;
  readonly number: number;
  readonly kind: KeptOffer["kind"];
  readonly id: string;
}

/**
 * The refused checkpoints of one log, one file each, durable before the refusal is answered.
 *
 *     conflicts/00000001-equivocated-<SHA-256 of what was offered against what>.json
 *
 * The same offer against the same held note is kept once.
 */
export class ConflictStore {
  readonly #files: Files;
  readonly #dir: string;
  // Nobody else writes here, so the folder is read once.
  #kept: KeptFile[] | undefined;

  constructor(files: Files, dir: string) {
    this.#files = files;
    this.#dir = dir;
  }

  async keep(offer: KeptOffer): Promise<void> {
    const kept = await this.#list();
    const id = identify(offer);
    const alike = kept.filter((file) => file.kind === offer.kind);
    if (alike.some((file) => file.id === id)) return;
    if (alike.length >= LIMITS[offer.kind]) {
      if (offer.kind === "equivocated") return;
      await this.#remove(alike[0]!);
    }
    await this.#files.makeDirectory(this.#dir);
    const number = (kept.at(-1)?.number ?? 0) + 1;
    const name = `${String(number).padStart(8, "0")}-${offer.kind}-${id}.json`;
    await writeDurably(this.#files, join(this.#dir, name), utf8(`${JSON.stringify(toJson(offer), null, 1)}\n`));
    this.#kept = [...(await this.#list()), { name, number, kind: offer.kind, id }];
  }

  /** What is kept of these kinds, oldest first. */
  async read(...kinds: KeptOffer["kind"][]): Promise<KeptOffer[]> {
    const offers: KeptOffer[] = [];
    for (const { name, kind } of await this.#list()) {
      if (!kinds.includes(kind)) continue;
      const bytes = await this.#files.readWhole(join(this.#dir, name));
      if (bytes !== undefined) offers.push(fromJson(bytes, join(this.#dir, name)));
    }
    return offers;
  }

  /** Lets go of an offer that turned out to be consistent, or was kept again under another kind. */
  async release(offer: KeptOffer): Promise<void> {
    const id = identify(offer);
    const file = (await this.#list()).find((kept) => kept.id === id && kept.kind === offer.kind);
    if (file !== undefined) await this.#remove(file);
  }

  /** Lets go of an undecided offer of this note: it was accepted after all. */
  async settle(note: string): Promise<void> {
    const id = identifyUndecided(note);
    const file = (await this.#list()).find((kept) => kept.id === id && kept.kind === "undecided");
    if (file !== undefined) await this.#remove(file);
  }

  async #remove(file: KeptFile): Promise<void> {
    await this.#files.remove(join(this.#dir, file.name));
    this.#kept = this.#kept?.filter((kept) => kept !== file);
  }

  async #list(): Promise<readonly KeptFile[]> {
    this.#kept ??= (await this.#files.list(this.#dir)).flatMap(parseName).sort((a, b) => a.number - b.number);
    return this.#kept;
  }
}

function parseName(name: string): KeptFile[] {
  const [, number, kind, id] = NAME.exec(name) ?? [];
  return id === undefined ? [] : [{ name, number: Number(number), kind: kind as KeptOffer["kind"], id }];
}

// By text, not by signatures: the same claim can be signed anew as often as one likes.
function identify(offer: KeptOffer): string {
  if (offer.kind === "undecided") return identifyUndecided(offer.offered);
  const range = offer.entries === undefined ? "" : `${offer.entries.start}-${offer.entries.end}`;
  return toHex(sha256(utf8(JSON.stringify([textOf(offer.signed), textOf(offer.offered), range]))));
}

// What it is held against changes until it is decided.
function identifyUndecided(note: string): string {
  return toHex(sha256(utf8(textOf(note))));
}

function textOf(note: string): string {
  return note.slice(0, note.lastIndexOf("\n\n") + 1);
}

function toJson(offer: KeptOffer): Record<string, unknown> {
  const { entries, proof, ...rest } = offer;
  return {
    format: FORMAT,
    ...rest,
    proof: proof.map((hash) => toBase64(hash)),
    ...(entries === undefined
      ? {}
      : { entries: { ...entries, entries: entries.entries.map((entry) => toBase64(entry)) } }),
  };
}

function fromJson(bytes: Uint8Array, path: string): KeptOffer {
  try {
    // Our own file: the shape is what toJson wrote, or the file is damaged and one of these steps throws.
    const { format, proof, entries, ...rest } = JSON.parse(fromUtf8(bytes));
    if (format !== FORMAT) throw new LedgerError("format-unknown", `${path} has format ${String(format)}`);
    const hashes: Hash[] = proof.map((hash: string) => asHash(fromBase64(hash)));
    if (entries === undefined) return { ...rest, proof: hashes };
    return {
      ...rest,
      proof: hashes,
      entries: { ...entries, entries: entries.entries.map((entry: string) => fromBase64(entry)) },
    };
  } catch (error) {
    if (error instanceof LedgerError) throw error;
    throw new LedgerError("damaged", `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
