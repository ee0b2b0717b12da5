import { type BundleMember, memberTypes, parseHeadsLeaf, parseHeadsLeaves } from "../bundle/index.ts";
import { compareBytes, equalBytes, utf8 } from "../bytes.ts";
import { decodeEntry, decodeHeadLeaf, type HeadLeaf, type HeadsLeaf } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { Frontier, hashLeaf, verifyInclusion } from "../merkle/index.ts";
import { type Checklist, Missing } from "./check.ts";
import type { Fleet } from "./fleet-entries.ts";
import type { Materials } from "./materials.ts";
import { showMoment } from "./moments.ts";
import type { PlaneLog } from "./plane-log.ts";
import { walkSlice } from "./slice.ts";

/** One ledger's head as a `heads` entry of the plane's log committed to it. */
export interface ProvenHead {
  readonly leaf: HeadLeaf;
  /** Index of the heads entry in the plane's log. */
  readonly heads: number;
  /** Of the leaf in that entry's tree. */
  readonly position: number;
  /** Milliseconds: the head existed no later than this. */
  readonly notAfter: number | null;
}

/** All heads of the fleet as of one entry, and earlier heads of single ledgers, for their times. */
export interface Heads {
  readonly index: number;
  readonly entry: HeadsLeaf;
  /** Milliseconds: when a cosigned checkpoint first covered the entry, as far as the bundle shows. */
  readonly notAfter: number | null;
  /** The newest head of every ledger shown, by origin. */
  readonly current: ReadonlyMap<string, ProvenHead>;
  /** Heads of a ledger in the order of the heads entries that hold them, the newest included. */
  history(origin: string): readonly ProvenHead[];
}

const name = {
  newest: "heads",
  leaf: "earlier head",
  complete: "every ledger accounted for",
};

/** The newest heads entry of the bundle, shown to be the plane's last one: what the answer is complete as of. */
export async function newestHeads(
  log: PlaneLog,
  materials: Materials,
  checklist: Checklist,
): Promise<{ index: number; entry: HeadsLeaf } | undefined> {
  let found: { index: number; entry: HeadsLeaf; member: BundleMember } | undefined;
  for (const { index, entry, member } of log.entries.values()) {
    if (entry.kind === "heads" && (found === undefined || index > found.index)) found = { index, entry, member };
  }
  if (found === undefined) {
    checklist.missing(name.newest, "plane log", "the bundle holds no heads entry, so nothing binds device ledgers");
    return undefined;
  }
  materials.use(found.member);
  const { size } = log.newest.checkpoint;
  const { index, entry } = found;
  if (index + 1 < size && materials.of(memberTypes.rangeProof, log.newest.checkpoint.origin).length === 0) {
    const what = `entries ${index + 1} to ${size} may hold later heads than entry ${index}, and are left out`;
    checklist.missing(name.newest, "plane log", what);
    return { index, entry };
  }
  return checklist.attemptAsync(
    name.newest,
    "plane log",
    async () => {
      await requireLast(index, log, materials);
      return { index, entry };
    },
    () => `entry ${index} commits to ${entry.n} ledgers`,
  );
}

/** Without this a plane could answer from an old state under a new checkpoint: every entry after the heads is here. */
async function requireLast(index: number, log: PlaneLog, materials: Materials): Promise<void> {
  const { origin, size, root } = log.newest.checkpoint;
  let later: { readonly index: number; readonly kind: string } | undefined;
  const slice = await walkSlice(origin, size, root, materials, {
    take: ({ bytes, starts, ends, from, length }) => {
      for (let i = 0; i < length; i += 1) {
        const { kind } = decodeEntry(bytes.subarray(starts[i], ends[i]));
        if (kind === "heads" || kind === "not-understood") later ??= { index: from + i, kind };
      }
    },
  });
  if (slice === undefined) return;
  if (slice.from !== index + 1 || slice.to !== size) {
    throw broken(`the entries shown are ${slice.from} to ${slice.to}, not those after entry ${index}`);
  }
  if (later !== undefined) throw broken(`entry ${later.index} is of kind ${later.kind}, and is passed over`);
}

/**
 * Checks the heads trees. For a question about the fleet every leaf is there, one for each ledger ever admitted
 * (`all`); a receipt carries the one leaf with its path.
 */
export function verifyHeads(
  newest: { index: number; entry: HeadsLeaf },
  all: boolean,
  log: PlaneLog,
  fleet: Fleet,
  materials: Materials,
  checklist: Checklist,
): Heads | undefined {
  const histories = new Map<string, ProvenHead[]>();
  const current = new Map<string, ProvenHead>();
  const notAfter = log.notAfter(newest.index);
  if (all) {
    const leaves = checklist.attempt(
      name.complete,
      "fleet",
      () => matchWithFleet(readTree(newest, materials), fleet),
      (list) => `the heads tree has one leaf for each of the ${list.length} ledgers ever admitted`,
    );
    if (leaves === undefined) return undefined;
    for (const [position, leaf] of leaves.entries()) {
      current.set(leaf.origin, { leaf, heads: newest.index, position, notAfter });
    }
  }
  for (const member of materials.list(memberTypes.headsLeaf)) {
    const proven = verifyLeaf(member, log, materials, checklist);
    if (proven === undefined) continue;
    if (proven.heads === newest.index) current.set(proven.leaf.origin, proven);
    else remember(histories, proven);
  }
  if (!all && !checkPlaces(newest, fleet, current, checklist)) return undefined;
  for (const proven of current.values()) remember(histories, proven);
  for (const history of histories.values()) history.sort((a, b) => a.heads - b.heads);
  const history = (origin: string) => histories.get(origin) ?? [];
  return { index: newest.index, entry: newest.entry, notAfter, current, history };
}

function readTree(newest: { index: number; entry: HeadsLeaf }, materials: Materials): HeadLeaf[] {
  const frontier = Frontier.empty();
  const leaves: HeadLeaf[] = [];
  for (const member of materials.list(memberTypes.headsLeaves)) {
    const slice = parseHeadsLeaves(member.bytes);
    if (slice.heads !== newest.index) continue;
    if (slice.from > leaves.length) throw new Missing(`leaves from ${leaves.length} of the heads tree on are missing`);
    if (slice.from < leaves.length) throw broken(`leaves from ${slice.from} on are there twice`);
    materials.use(member);
    for (const bytes of slice.leaves) {
      frontier.append(hashLeaf(bytes));
      leaves.push(decodeHeadLeaf(bytes));
    }
  }
  if (leaves.length < newest.entry.n)
    throw new Missing(`leaves from ${leaves.length} of the heads tree on are missing`);
  if (leaves.length !== newest.entry.n || !equalBytes(frontier.root(), newest.entry.root)) {
    throw broken(`its ${leaves.length} leaves do not give the root that entry ${newest.index} names`);
  }
  return leaves;
}

function matchWithFleet(leaves: readonly HeadLeaf[], fleet: Fleet): readonly HeadLeaf[] {
  const admitted = sortedOrigins(fleet);
  admitted.forEach((origin, i) => {
    if (leaves[i]?.origin !== origin) throw broken(`${origin} was admitted and has no leaf in its place`);
  });
  if (leaves.length !== admitted.length)
    throw broken(`${leaves[admitted.length]?.origin} has a leaf and was never admitted`);
  return leaves;
}

/** A receipt shows single leaves: each has to stand where the tree has the one leaf of its ledger. */
function checkPlaces(
  newest: { entry: HeadsLeaf },
  fleet: Fleet,
  current: ReadonlyMap<string, ProvenHead>,
  checklist: Checklist,
): boolean {
  const admitted = sortedOrigins(fleet);
  for (const [origin, { position }] of current) {
    const held = checklist.attempt(
      name.complete,
      origin,
      () => {
        if (newest.entry.n !== admitted.length) {
          throw broken(`it has ${newest.entry.n} leaves, ${admitted.length} ledgers were admitted`);
        }
        if (admitted[position] !== origin) throw broken(`leaf ${position} is not in the place of ${origin}`);
        return position;
      },
      () => `its leaf is the one of ${admitted.length} that the heads tree has for it`,
    );
    if (held === undefined) return false;
  }
  return true;
}

function sortedOrigins(fleet: Fleet): readonly string[] {
  return [...fleet.enrolments.keys()]
    .map((origin) => ({ origin, key: utf8(origin) }))
    .sort((a, b) => compareBytes(a.key, b.key))
    .map(({ origin }) => origin);
}

function verifyLeaf(
  member: BundleMember,
  log: PlaneLog,
  materials: Materials,
  checklist: Checklist,
): ProvenHead | undefined {
  const { heads, position, leaf: bytes, proof } = parseHeadsLeaf(member.bytes);
  const under = log.entries.get(heads);
  const about = `leaf ${position} of heads entry ${heads}`;
  if (under === undefined || under.entry.kind !== "heads") {
    checklist.missing(name.leaf, about, "the bundle does not prove that heads entry");
    return undefined;
  }
  const { n, root } = under.entry;
  return checklist.attempt(
    name.leaf,
    about,
    () => {
      verifyInclusion(position, n, hashLeaf(bytes), proof, root);
      materials.use(member);
      materials.use(under.member);
      return { leaf: decodeHeadLeaf(bytes), heads, position, notAfter: log.notAfter(heads) };
    },
    ({ leaf, notAfter }) =>
      `${leaf.origin} had ${leaf.pendingSize} entries by ${notAfter === null ? "an unknown time" : showMoment(notAfter)}`,
  );
}

function remember(histories: Map<string, ProvenHead[]>, proven: ProvenHead): void {
  const list = histories.get(proven.leaf.origin);
  if (list === undefined) histories.set(proven.leaf.origin, [proven]);
  else list.push(proven);
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", `the heads tree: ${what}`);
}
