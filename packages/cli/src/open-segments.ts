import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EdgeError, type KeysAt, type OpenedSegment, openSegment, type RowLabel, type SegmentRow } from "@tally/edge";
import { type Digest, equalBytes, parseDigest, type SegmentItem, type Trust, toHex } from "@tally/evidence";
import { type ArtifactSource, OciError, type RegistryClient, unpackModelKit } from "@tally/oci";
import { readErasures, type StatedErasure } from "./erasures.ts";
import { type Admission, keysAtSize, readFleet } from "./fleet-log.ts";
import type { PlaneClient } from "./plane-client.ts";
import { CliError, exitCodes } from "./terminal/index.ts";

/** What one segment is fetched from, what it has to be of, and what opens it. */
interface SegmentPlace {
  readonly source: ArtifactSource;
  readonly model: Digest;
  readonly identities?: readonly string[];
}

export interface SegmentsToOpen {
  readonly client: PlaneClient;
  readonly source: RegistryClient;
  readonly model: Digest;
  readonly items: readonly SegmentItem[];
  /** Left out, nothing says that the ledgers are of enrolled devices. */
  readonly trust: Trust | undefined;
  /** Age identities, for segments that are encrypted to whoever asks. */
  readonly identities?: readonly string[];
}

/** A segment whose rows were verified. */
export interface VerifiedSegment {
  readonly manifest: Digest;
  readonly origin: string;
  /** Entries [from, to). */
  readonly from: number;
  readonly to: number;
}

/** A captured record of which no row came. */
export interface AbsentRow {
  readonly origin: string;
  readonly index: number;
  /** The device's statement that it erased it; null where nobody says so, and it may as well have been lost or withheld. */
  readonly statement: Digest | null;
}

export interface OpenedData {
  readonly segments: readonly VerifiedSegment[];
  readonly absent: readonly AbsentRow[];
  /** By origin and index, each with every label known of it, the late ones too. */
  readonly rows: readonly SegmentRow[];
  readonly devices: number;
  /** Segments that are encrypted to others, and so left out. */
  readonly closed: number;
}

/**
 * Pulls segments and verifies every row against its ledger and its commitments; with a trust file, also that each ledger is
 * an enrolled device's.
 *
 * @throws EdgeError `segment-invalid`; CliError verification failed where a segment is not what the plane says
 */
export async function openSegments(wanted: SegmentsToOpen): Promise<OpenedData> {
  const { client, items, trust } = wanted;
  const fleet = trust === undefined ? undefined : await readFleet(client, trust);
  const erasures = items.length === 0 ? [] : await readErasures(client, trust, fleet);
  const replaced = new Set(erasures.flatMap(({ erasure }) => erasure.segments.map(({ manifest }) => manifest)));
  const opened: OpenedSegment[] = [];
  const kept = items.filter(({ manifest }) => !replaced.has(parseDigest(manifest)));
  const closed = new Set<SegmentItem>();
  for (const item of kept) {
    const segment = await openVerified(wanted, item, fleet);
    if (segment === undefined) closed.add(item);
    else opened.push(segment);
  }
  return {
    segments: kept
      .filter((item) => !closed.has(item))
      .map(({ manifest, origin, from, to }) => ({ manifest: parseDigest(manifest), origin, from, to })),
    rows: withLateLabels(opened),
    absent: absentRows(opened, wanted.model, erasures),
    devices: new Set(opened.map(({ origin }) => origin)).size,
    closed: closed.size,
  };
}

/** What a verified segment has, without what proves it. */
export type VerifiedContent = Pick<OpenedSegment, "origin" | "from" | "to" | "rows" | "late" | "absent">;

/**
 * Pulls one segment and verifies every row; with a fleet log, also that the ledger is an enrolled device's.
 *
 * @returns undefined where it is encrypted, and none of the identities opens it
 * @throws EdgeError `segment-invalid`; CliError verification failed where it is not what the plane says, not proven where its
 * contents are gone
 */
export async function openVerified(
  wanted: SegmentPlace,
  item: SegmentItem,
  fleet: ReadonlyMap<string, Admission> | undefined,
): Promise<OpenedSegment | undefined> {
  const segment = await openOne(wanted, item, fleet);
  if (segment !== undefined && fleet !== undefined) requireEnrolled(segment, item.manifest, fleet.get(segment.origin));
  return segment;
}

async function openOne(
  { source, model, identities }: SegmentPlace,
  item: SegmentItem,
  fleet: ReadonlyMap<string, Admission> | undefined,
): Promise<OpenedSegment | undefined> {
  const temporary = await mkdtemp(join(tmpdir(), "tally-segment-"));
  try {
    const into = join(temporary, "segment");
    const { manifest } = await unpackModelKit({ source, reference: parseDigest(item.manifest), into }).catch(
      (cause: unknown) => {
        throw cause instanceof OciError && cause.code === "not-found" ? goneWithoutStatement(item, cause) : cause;
      },
    );
    if (manifest.subject?.digest !== model) throw wrong(item.manifest, `its subject is not ${model}`);
    const segment = await openSegment(into, keysIn(fleet), identities).catch((error: unknown) => {
      if (error instanceof EdgeError && error.code === "segment-encrypted") return undefined;
      throw error;
    });
    if (segment === undefined) return undefined;
    const { origin, from, to } = segment;
    if (origin !== item.origin || from !== item.from || to !== item.to) {
      throw wrong(item.manifest, `it holds entries ${from} to ${to} of ${origin}, not those that the plane names`);
    }
    if (segment.model !== null && segment.model !== model)
      throw wrong(item.manifest, `its records are of ${segment.model}`);
    return segment;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Contents that are gone may have been erased. Only the device's statement shows it, and then they are not looked for. */
function goneWithoutStatement({ manifest }: SegmentItem, cause: unknown): CliError {
  return new CliError(
    exitCodes.notProven,
    `contents of segment ${manifest} are gone, and no statement of its device says that they were erased`,
    { cause, hint: "ask the operator of the plane what became of them" },
  );
}

function absentRows(
  segments: readonly OpenedSegment[],
  model: Digest,
  erasures: readonly StatedErasure[],
): readonly AbsentRow[] {
  const stated = new Map(
    erasures.flatMap(({ statement, erasure: { origin, records } }) =>
      records.map(({ index, leaf }) => [`${origin} ${index} ${toHex(leaf)}`, statement] as const),
    ),
  );
  return segments.flatMap(({ origin, absent }) =>
    absent
      .filter((record) => record.model === model)
      .map(({ index, leaf }) => ({
        origin,
        index,
        statement: stated.get(`${origin} ${index} ${toHex(leaf)}`) ?? null,
      })),
  );
}

/** Whose signatures a ledger's segments need; undefined where the fleet log does not know, or was not read. */
export function keysIn(fleet: ReadonlyMap<string, Admission> | undefined): KeysAt {
  return (origin, size) => {
    const admission = fleet?.get(origin);
    return admission && keysAtSize(admission, size);
  };
}

/** The ledger is the one that the fleet log admitted: its genesis, and so its keys. @throws CliError verification failed */
export function requireEnrolled(
  segment: Pick<OpenedSegment, "origin" | "genesisHash">,
  manifest: string,
  admission: Pick<Admission, "genesisHash"> | undefined,
): void {
  if (admission === undefined) throw wrong(manifest, `the fleet log has no enrolment of ${segment.origin}`);
  if (equalBytes(admission.genesisHash, segment.genesisHash)) return;
  throw wrong(manifest, `${segment.origin} was enrolled with another first entry, and so with other keys`);
}

/** Labels that came after their record's segment belong to its row. */
export function withLateLabels(segments: readonly Pick<OpenedSegment, "rows" | "late">[]): readonly SegmentRow[] {
  const key = (record: { origin: string; index: number; leaf: string }) =>
    `${record.origin} ${record.index} ${record.leaf}`;
  const late = Map.groupBy(
    segments.flatMap((segment) => segment.late),
    ({ record }) => key(record),
  );
  return segments
    .flatMap((segment) => segment.rows)
    .map((row) => ({ ...row, labels: [...row.labels, ...(late.get(key(row)) ?? []).map(labelOnly)] }))
    .sort((a, b) => (a.origin === b.origin ? a.index - b.index : a.origin < b.origin ? -1 : 1));
}

function labelOnly({ index, leaf, who, value }: RowLabel): RowLabel {
  return { index, leaf, who, value };
}

function wrong(manifest: string, why: string): CliError {
  return new CliError(exitCodes.verificationFailed, `segment ${manifest} is not accepted: ${why}`, {
    hint: "ask the operator of the plane how it came to serve it",
  });
}
