import {
  type Digest,
  decodeEntry,
  type IndexedMember,
  indexBundle,
  memberTypes,
  parseEnvelope,
  parseFleetEntries,
  parsePlaneEntry,
  type Report,
  readMembers,
  type Trust,
  verifyRecords,
} from "@tally/evidence";
import { openFileSource } from "../file-source.ts";
import { type Admissions, takeFleetEntry } from "../fleet-log.ts";
import { trusting } from "../trust-file.ts";

/** A statement with its place in the log of the plane that it comes from. */
export interface CarriedStatement {
  readonly index: number;
  readonly digest: Digest;
  readonly predicateType: string;
  /** The envelope. */
  readonly bytes: Uint8Array;
}

export interface Evidence {
  readonly report: Report;
  /** In the order of the log; none where the evidence is bad. */
  readonly statements: readonly CarriedStatement[];
  /** The fleet log's admissions; undefined where it is not proven. */
  readonly fleet: Admissions | undefined;
  /** Keys of people that the fleet log has revoked, as of whatever time. */
  readonly revokedKeys: ReadonlySet<string>;
}

/** Verifies an evidence bundle and takes out what it proves of statements and devices. Nothing is taken from a bad one. */
export async function readEvidence(path: string, trust: Trust, now: number): Promise<Evidence> {
  await using source = await openFileSource(path);
  const { report } = await verifyRecords({ bundle: source, ...(await trusting(trust)), now, holdRecords: 0 });
  const revokedKeys = new Set<string>();
  if (report.outcome === "bad") return { report, statements: [], fleet: undefined, revokedKeys };
  const index = await indexBundle(source);
  const of = (type: number) => index.members.filter((member: IndexedMember) => member.type === type);
  const places = new Map<Digest, number>();
  for await (const { bytes } of readMembers(index, of(memberTypes.planeEntry))) {
    const { index: place, bytes: entryBytes } = parsePlaneEntry(bytes);
    const entry = decodeEntry(entryBytes);
    if (entry.kind === "statement") places.set(entry.envelope, place);
  }
  const statements: CarriedStatement[] = [];
  for await (const { bytes } of readMembers(index, of(memberTypes.envelope))) {
    const { digest, statement } = parseEnvelope(bytes);
    const place = places.get(digest);
    if (place !== undefined) statements.push({ index: place, digest, predicateType: statement.predicateType, bytes });
  }
  statements.sort((a, b) => a.index - b.index);
  const known = report.checks.some(({ name, result }) => name === "fleet log" && result === "good");
  if (!known) return { report, statements, fleet: undefined, revokedKeys };
  const fleet: Admissions = new Map();
  for await (const { bytes } of readMembers(index, of(memberTypes.fleetEntries))) {
    for (const item of parseFleetEntries(bytes).items) {
      takeFleetEntry(item, trust.plane.name, fleet);
      const entry = decodeEntry(item);
      if (entry.kind === "revoke" && entry.origin === null) revokedKeys.add(entry.keyId);
    }
  }
  return { report, statements, fleet, revokedKeys };
}
