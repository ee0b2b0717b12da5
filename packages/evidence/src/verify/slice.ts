import { EntriesView, memberTypes, parseRangeProof } from "../bundle/index.ts";
import type { LeafHash, RootHash } from "../digest.ts";
import type { Entry } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { RangeTree } from "../merkle/index.ts";
import { Missing } from "./check.ts";
import type { Materials } from "./materials.ts";

/** An entry of a log, proven to be in the tree under one of its heads. */
export interface ProvenEntry {
  readonly index: number;
  readonly entry: Entry;
  readonly leaf: LeafHash;
}

/** Consecutive entries [from, to) of one log, none left out. */
export interface Slice {
  readonly from: number;
  readonly to: number;
}

/** What goes through a slice with the proof: told of every member, and of each of its entries in order. */
export interface SliceReader {
  /** Entry `view.from + i` is the view's bytes [starts[i], ends[i]). What it throws ends the walk. */
  take(view: EntriesView): void;
}

/**
 * Goes through a log's slice and proves its place in the tree of that size. What the reader was given is proven only once
 * this returns.
 *
 * @returns undefined where the bundle holds none for this log
 * @throws Missing, EvidenceError `proof-invalid`, or what the reader throws
 */
export async function walkSlice(
  origin: string,
  size: number,
  root: RootHash,
  materials: Materials,
  reader: SliceReader,
): Promise<Slice | undefined> {
  const [member] = materials.of(memberTypes.rangeProof, origin);
  if (member === undefined) return undefined;
  materials.use(member);
  const { from, to, size: proven, left, right } = parseRangeProof(member.bytes);
  if (proven !== size) throw broken(`the proof is for size ${proven}, the head that counts has ${size}`);
  const tree = new RangeTree(from, to, size, { left, right });
  const view = new EntriesView();
  let next = from;
  for await (const { member: part, bytes } of materials.view(materials.slices(origin))) {
    view.open(bytes);
    if (view.from > next) throw new Missing(`entries from ${next} on are missing`);
    if (view.from < next) throw broken(`entries from ${view.from} on are there twice`);
    materials.use(part);
    for (let i = 0; i < view.length; i += 1) tree.append(bytes, view.starts[i]!, view.ends[i]!);
    reader.take(view);
    next += view.length;
  }
  if (next < to) throw new Missing(`entries from ${next} on are missing`);
  tree.verify(root);
  return { from, to };
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
