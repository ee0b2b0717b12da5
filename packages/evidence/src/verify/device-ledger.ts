import { memberTypes, parseDeviceEntry } from "../bundle/index.ts";
import { equalBytes } from "../bytes.ts";
import { decodeEntry, type Genesis } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { hashLeaf, verifyInclusion } from "../merkle/index.ts";
import type { Checklist } from "./check.ts";
import type { Enrolment } from "./fleet-entries.ts";
import type { ProvenHead } from "./heads.ts";
import { LedgerWalk, type WalkPlan } from "./ledger-walk.ts";
import type { Materials } from "./materials.ts";
import { type ProvenEntry, walkSlice } from "./slice.ts";

/** What a bundle proves of one device's ledger: a contiguous slice, and single entries beside it. */
export interface DeviceLedger {
  readonly enrolment: Enrolment;
  readonly head: ProvenHead;
  readonly from: number;
  readonly to: number;
  /** What the replay of the slice came to. */
  readonly walk: LedgerWalk;
  /** Single entries, and those of the slice that others are judged by, by index. */
  readonly entries: ReadonlyMap<number, ProvenEntry>;
}

const name = { slice: "entries", entry: "device entry", genesis: "genesis" };

const noSlice = { from: 0, to: 0 };

/** Checks the slice and the single entries of one ledger against its mirrored root, and that it is the one enrolled. */
export async function verifyLedger(
  head: ProvenHead,
  enrolment: Enrolment,
  plan: WalkPlan,
  materials: Materials,
  checklist: Checklist,
): Promise<DeviceLedger | undefined> {
  const { origin } = enrolment;
  const { mirroredSize, mirroredRoot } = head.leaf;
  const walk = new LedgerWalk(plan);
  let slice = noSlice;
  if (materials.of(memberTypes.rangeProof, origin).length > 0) {
    const walked = await checklist.attemptAsync(
      name.slice,
      origin,
      async () => (await walkSlice(origin, mirroredSize, mirroredRoot, materials, walk)) ?? noSlice,
      ({ from, to }) => `entries ${from} to ${to} of ${mirroredSize} stand in the tree, none left out`,
    );
    if (walked === undefined) return undefined;
    slice = walked;
  }
  const entries = new Map(walk.kept);
  for (const single of verifySingles(origin, head, materials, checklist)) entries.set(single.index, single);
  const genesis = entries.get(0);
  if (genesis === undefined) {
    checklist.missing(name.genesis, origin, "the bundle does not hold the ledger's first entry");
    return undefined;
  }
  const begins = checklist.attempt(
    name.genesis,
    origin,
    () => checkGenesis(genesis, enrolment),
    () => "the ledger begins with the entry that was enrolled",
  );
  return begins && { enrolment, head, from: slice.from, to: slice.to, walk, entries };
}

/** A plane could enrol a device's genesis under keys or a name of its own: the entry itself says which are right. */
function checkGenesis({ entry, leaf }: ProvenEntry, { origin, genesisHash, keySets }: Enrolment): Genesis {
  if (!equalBytes(leaf, genesisHash)) throw broken("the ledger's first entry is not the one that was enrolled");
  if (entry.kind !== "genesis") throw broken(`the ledger's first entry is ${entry.kind}`);
  const own = `${entry.plane}/d/${entry.deviceId}/${entry.epoch}`;
  if (own !== origin) throw broken(`the ledger's first entry says that it is ${own}`);
  const enrolled = keySets[0]?.keys ?? [];
  const same =
    entry.keySet.length === enrolled.length &&
    entry.keySet.every(
      ({ type, publicKey }, i) => type === enrolled[i]!.type && equalBytes(publicKey, enrolled[i]!.publicKey),
    );
  if (!same) throw broken("the fleet log has enrolled other keys than the ledger's first entry names");
  return entry;
}

function verifySingles(
  origin: string,
  { leaf: { mirroredSize, mirroredRoot } }: ProvenHead,
  materials: Materials,
  checklist: Checklist,
): readonly ProvenEntry[] {
  const singles: ProvenEntry[] = [];
  for (const member of materials.of(memberTypes.deviceEntry, origin)) {
    const { index, size, bytes, proof } = parseDeviceEntry(member.bytes);
    const proven = checklist.attempt(
      name.entry,
      `${origin} #${index}`,
      () => {
        if (size !== mirroredSize) throw broken(`the proof is for size ${size}, not for the mirrored head`);
        const leaf = hashLeaf(bytes);
        verifyInclusion(index, size, leaf, proof, mirroredRoot);
        materials.use(member);
        return { index, entry: decodeEntry(bytes), leaf };
      },
      ({ entry }) => `${entry.kind}, included under size ${size}`,
    );
    if (proven !== undefined) singles.push(proven);
  }
  return singles;
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
