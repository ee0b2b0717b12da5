// The manifests that name one subject, in pages. Their order comes from their content: by the time that they reach to, then
// by digest; so a place in it means the same after pushes, deletions and restored backups.

import type { Descriptor } from "../artifact/descriptor.ts";
import { type ReferrerFilter, traitsOf } from "../artifact/referrer-filter.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import type { Database, SqlValue } from "../storage/database.ts";

/** A place between two referrers: after the one that reaches to `to` and has this digest. */
export interface Place {
  readonly to: number;
  readonly digest: string;
}

export interface PageWanted {
  readonly after: Place | undefined;
  /** Descriptors of one page at most. */
  readonly limit: number;
  /** Bytes of one page's manifests at most, unless the first alone has more; its descriptors take less. */
  readonly maxBytes: number;
}

export interface ReferrersPage {
  /** Descriptors as JSON. */
  readonly descriptors: readonly string[];
  /** Where the next page begins; undefined after the last. */
  readonly next: Place | undefined;
}

/** Of what has no time: these come first, and no question about time finds them. */
export const timeless = -1;

/** Rows of an index that are looked at for one page; it ends there, empty if need be, and the next goes on. */
const mostLookedAt = 20_000;
const digestsAtOnce = 100;

/** The columns by which a manifest is listed under its subject. */
export async function listingOf(
  tx: Database,
  repository: string,
  subject: ContentDigest | undefined,
  descriptor: Pick<Descriptor, "annotations">,
): Promise<readonly [subject: number, device: string | null, from: number | null, to: number]> {
  const { device, time } = traitsOf(descriptor.annotations);
  const [from, to] = time ?? [null, timeless];
  const id = subject === undefined ? 0 : await subjectId(tx, repository, subject, from === null ? 0 : to - from);
  return [id, device ?? null, from, to];
}

/** One page. What is there from the first page to the last, and only that, is in exactly one of them. */
export async function referrersPage(
  db: Database,
  repository: string,
  subject: ContentDigest,
  filter: ReferrerFilter,
  wanted: PageWanted,
): Promise<ReferrersPage> {
  const known = await db.query<{ id: number; longest: number }>(
    "SELECT id, longest FROM registry_subject WHERE repository = ? AND subject = ?",
    [repository, subject],
  );
  if (known[0] === undefined) return { descriptors: [], next: undefined };
  const { id, longest } = known[0];
  const start = laterOf(wanted.after, { to: filter.since ?? timeless - 1, digest: "" });
  const selected = selection(id, longest, filter);
  const { digests, next } = await choosePage(db, selected, start, wanted);
  return { descriptors: await descriptorsOf(db, repository, digests, selected, start), next };
}

interface Selection {
  /** What an index finds by itself. */
  readonly where: string;
  readonly params: readonly SqlValue[];
  /** What has to be looked at row by row. */
  readonly sifted: readonly ((row: Row) => boolean)[];
}

interface Row {
  readonly digest: string;
  readonly size: number;
  readonly type: string | null;
  readonly from_ms: number | null;
  readonly to_ms: number;
}

function selection(id: number, longest: number, { artifactType, device, until }: ReferrerFilter): Selection {
  let where = "subject_id = ?";
  const params: SqlValue[] = [id];
  const sifted: Selection["sifted"][number][] = [];
  if (device !== undefined) {
    where += " AND device = ?";
    params.push(device);
  }
  if (artifactType !== undefined && device === undefined) {
    where += " AND artifact_type = ?";
    params.push(artifactType);
  } else if (artifactType !== undefined) {
    // A device has few rows beside a type, and its index has the type in it.
    sifted.push(({ type }) => type === artifactType);
  }
  if (until !== undefined) {
    // Nothing of this subject is longer than `longest`, so that nothing beyond this begins before `until`.
    where += " AND to_ms < ?";
    params.push(Math.min(until + longest, Number.MAX_SAFE_INTEGER));
    sifted.push(({ from_ms }) => from_ms !== null && from_ms < until);
  }
  return { where, params, sifted };
}

/** What is on a page, from an index alone: descriptors may be as large as manifests, and a page has to fit into memory. */
async function choosePage(
  db: Database,
  { where, params, sifted }: Selection,
  start: Place,
  { limit, maxBytes }: PageWanted,
): Promise<{ digests: readonly string[]; next: Place | undefined }> {
  const rowsAtOnce = sifted.length === 0 ? limit + 1 : Math.max(limit + 1, 1_000);
  const digests: string[] = [];
  for (let [place, bytes, looked] = [start, 0, 0]; ; ) {
    const rows = await db.query<Row>(
      `SELECT digest, size, artifact_type AS type, from_ms, to_ms FROM registry_manifest
       WHERE ${where} AND (to_ms, digest) > (?, ?) ORDER BY to_ms, digest LIMIT ?`,
      [...params, place.to, place.digest, rowsAtOnce],
    );
    for (const row of rows) {
      if (sifted.every((passes) => passes(row))) {
        bytes += row.size;
        if (digests.length > 0 && (digests.length === limit || bytes > maxBytes)) return { digests, next: place };
        digests.push(row.digest);
      }
      place = { to: row.to_ms, digest: row.digest };
    }
    looked += rows.length;
    if (rows.length < rowsAtOnce) return { digests, next: undefined };
    if (looked >= mostLookedAt) return { digests, next: place };
  }
}

/** In the order of the digests; without those that were deleted since. */
async function descriptorsOf(
  db: Database,
  repository: string,
  digests: readonly string[],
  { where, params, sifted }: Selection,
  start: Place,
): Promise<string[]> {
  const found = new Map<string, string>();
  if (sifted.length === 0) {
    // Along the index that chose them, which takes half the time. What was pushed between may stand in the way of some.
    const rows = await db.query<Described>(
      `SELECT digest, descriptor FROM registry_manifest WHERE ${where} AND (to_ms, digest) > (?, ?) ORDER BY to_ms, digest LIMIT ?`,
      [...params, start.to, start.digest, digests.length],
    );
    for (const { digest, descriptor } of rows) found.set(digest, descriptor);
  }
  const missing = digests.filter((digest) => !found.has(digest));
  for (let i = 0; i < missing.length; i += digestsAtOnce) {
    const some = missing.slice(i, i + digestsAtOnce);
    // The same statement for any number of them: the last stands for those that are not there.
    const rows = await db.query<Described>(
      `SELECT digest, descriptor FROM registry_manifest WHERE repository = ? AND digest IN (${"?, ".repeat(digestsAtOnce - 1)}?)`,
      [repository, ...some, ...new Array<string>(digestsAtOnce - some.length).fill(some.at(-1)!)],
    );
    for (const { digest, descriptor } of rows) found.set(digest, descriptor);
  }
  return digests.flatMap((digest) => found.get(digest) ?? []);
}

interface Described {
  readonly digest: string;
  readonly descriptor: string;
}

async function subjectId(tx: Database, repository: string, subject: ContentDigest, length: number): Promise<number> {
  const key = [repository, subject];
  const where = "WHERE repository = ? AND subject = ?";
  const sql = `SELECT id, longest FROM registry_subject ${where}`;
  const [known] = await tx.query<{ id: number; longest: number }>(sql, key);
  if (known !== undefined) {
    if (length > known.longest) await tx.run(`UPDATE registry_subject SET longest = ? ${where}`, [length, ...key]);
    return known.id;
  }
  const [last] = await tx.query<{ id: number }>("SELECT COALESCE(MAX(id), 0) AS id FROM registry_subject");
  const id = (last?.id ?? 0) + 1;
  await tx.run("INSERT INTO registry_subject (id, repository, subject, longest) VALUES (?, ?, ?, ?)", [
    id,
    ...key,
    length,
  ]);
  return id;
}

function laterOf(a: Place | undefined, b: Place): Place {
  return a !== undefined && (a.to > b.to || (a.to === b.to && a.digest > b.digest)) ? a : b;
}
