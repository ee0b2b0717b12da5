import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, emptyBytes, emptyDescriptor } from "../artifact/descriptor.ts";
import { encodeImageManifest, parseManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { formatTime, matchesFilter, type ReferrerFilter } from "../artifact/referrer-filter.ts";
import { RegistryClient } from "../client/registry-client.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { type LoopbackRegistry, loopbackRegistry } from "../testing/loopback-registry.ts";
import { Contents } from "./contents.ts";
import { DigestTurns } from "./digest-turns.ts";
import { Retention } from "./retention.ts";
import { migrateRegistry } from "./tables.ts";

const subject = describe(mediaTypes.imageManifest, new TextEncoder().encode("a model"));
const path = `/v2/m/referrers/${subject.digest}`;
const day = 86_400_000;

interface Referrer {
  readonly type?: string;
  readonly device?: string;
  readonly from?: number;
  readonly to?: number;
  readonly n?: number;
}

function image({ type = "a/segment", device, from, to, n = 0 }: Referrer) {
  return encodeImageManifest({
    artifactType: type,
    layers: [],
    subject,
    annotations: {
      n: String(n),
      ...(device === undefined ? {} : { "tally.device": device }),
      ...(from === undefined ? {} : { "tally.time.from": formatTime(from) }),
      ...(to === undefined ? {} : { "tally.time.to": formatTime(to) }),
    },
  });
}

async function push(registry: LoopbackRegistry, referrer: Referrer): Promise<ContentDigest> {
  const client = clientOf(registry);
  await client.pushBlob(emptyDescriptor, emptyBytes);
  const { bytes, descriptor } = image(referrer);
  await client.pushManifest(bytes, descriptor.mediaType);
  return descriptor.digest;
}

function clientOf({ url }: LoopbackRegistry): RegistryClient {
  return new RegistryClient({ url, repository: "m" });
}

interface Page {
  readonly digests: readonly ContentDigest[];
  readonly next: string | undefined;
  readonly applied: string | null;
}

async function page(registry: LoopbackRegistry, url: string): Promise<Page> {
  const response = await fetch(new URL(url, registry.url));
  assert.equal(response.status, 200);
  const { manifests } = (await response.json()) as { manifests: { digest: ContentDigest }[] };
  return {
    digests: manifests.map(({ digest }) => digest),
    next: /^<(.*)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1],
    applied: response.headers.get("oci-filters-applied"),
  };
}

async function walk(registry: LoopbackRegistry, url: string, between: () => Promise<unknown> = async () => undefined) {
  const digests: ContentDigest[] = [];
  for (let next: string | undefined = url; next !== undefined; ) {
    const found = await page(registry, next);
    digests.push(...found.digests);
    next = found.next;
    if (next !== undefined) await between();
  }
  return digests;
}

test("a walk shows what was there all the time exactly once, while others push and delete", async (t) => {
  const registry = await loopbackRegistry(t);
  const there = new Set<ContentDigest>();
  for (let n = 0; n < 60; n += 1) there.add(await push(registry, { n, ...(n % 2 ? {} : { from: n, to: n + 5 }) }));
  const doomed = [...there].filter((_, i) => i % 6 === 0);
  for (const digest of doomed) there.delete(digest);
  let n = 100;
  const digests = await walk(registry, `${path}?n=7`, async () => {
    await push(registry, { n: n++, from: n, to: n });
    await push(registry, { n: n++ });
    const gone = doomed.pop();
    if (gone !== undefined) await clientOf(registry).delete(gone);
  });
  assert.equal(new Set(digests).size, digests.length);
  assert.deepEqual(
    [...there].filter((digest) => !digests.includes(digest)),
    [],
  );
});

test("a page begins where the one before ended, even when what it ended with is deleted and pushed again", async (t) => {
  const registry = await loopbackRegistry(t);
  const pushed = new Map<ContentDigest, Referrer>();
  for (let n = 0; n < 6; n += 1) pushed.set(await push(registry, { n, from: 0, to: n }), { n, from: 0, to: n });
  const first = await page(registry, `${path}?n=3`);
  await clientOf(registry).delete(first.digests[2]!);
  const second = await page(registry, first.next!);
  await push(registry, pushed.get(first.digests[2]!)!);
  assert.deepEqual(await page(registry, first.next!), second);
  assert.deepEqual([...first.digests, ...second.digests], [...pushed.keys()]);
});

test("every combination of type, device and time lists what it asks for, as the header says, on every page", async (t) => {
  const registry = await loopbackRegistry(t);
  const all: Referrer[] = [];
  for (const type of ["a/segment", "a/signature"]) {
    for (const device of ["d1", "d2", undefined]) {
      for (let n = 0; n < 6; n += 1) {
        const times = n === 5 ? {} : { from: n * day, to: n * day + (n === 1 ? 3 * day : day - 1) };
        all.push({ type, n, ...times, ...(device === undefined ? {} : { device }) });
      }
    }
  }
  for (const referrer of all) await push(registry, referrer);
  for (const artifactType of ["a/segment", undefined]) {
    for (const device of ["d1", "d3", undefined]) {
      for (const since of [2 * day, undefined]) {
        for (const until of [3 * day, undefined]) {
          const filter = Object.fromEntries(
            Object.entries({ artifactType, device, since, until }).filter(([, value]) => value !== undefined),
          ) as ReferrerFilter;
          const query = new URLSearchParams({
            n: "2",
            ...(artifactType && { artifactType }),
            ...(device && { "tally.device": device }),
            ...(since && { "tally.since": formatTime(since) }),
            ...(until && { "tally.until": formatTime(until) }),
          });
          const expected = all.map(image).filter(({ bytes, descriptor }) => {
            const { annotations } = parseManifest(bytes);
            return matchesFilter(
              { ...descriptor, artifactType: parseManifest(bytes).artifactType!, annotations },
              filter,
            );
          });
          const found = await walk(registry, `${path}?${query}`);
          assert.deepEqual(found.toSorted(), expected.map(({ descriptor }) => descriptor.digest).sort(), String(query));
          query.delete("n");
          const { applied } = await page(registry, `${path}?${query}`);
          assert.equal(applied, query.size === 0 ? null : [...query.keys()].join(", "));
        }
      }
    }
  }
});

test("a segment that began before the time asked for and reaches into it is listed, one that says no time is not", async (t) => {
  const registry = await loopbackRegistry(t);
  const long = await push(registry, { from: 0, to: 100 * day });
  const short = await push(registry, { from: 50 * day, to: 50 * day });
  await push(registry, { from: 98 * day, to: 99 * day });
  await push(registry, { n: 1 });
  const time = `tally.since=${formatTime(40 * day)}&tally.until=${formatTime(60 * day)}`;
  assert.deepEqual(await walk(registry, `${path}?${time}`), [short, long]);
});

test("a tampered cursor is refused, and a cursor for another subject shows nothing that it should not", async (t) => {
  const registry = await loopbackRegistry(t);
  for (let n = 0; n < 4; n += 1) await push(registry, { n });
  const { next } = await page(registry, `${path}?n=2`);
  const cursor = new URL(next!, registry.url).searchParams.get("cursor")!;
  const raw = (text: string) => Buffer.from(text).toString("base64url");
  const digest = Buffer.from(cursor, "base64url").toString().split(".")[1]!;
  const tampered = ["", "x", `${cursor}=`, cursor.slice(1), raw("0"), raw(`1e3.${digest}`), raw(`-2.${digest}`)];
  for (const text of [...tampered, raw(`0.${digest.toUpperCase()}`), raw("0.' OR 1=1 --")]) {
    const response = await fetch(`${registry.url}${path}?cursor=${encodeURIComponent(text)}`);
    assert.equal(response.status, 400, text);
    assert.equal(((await response.json()) as { errors: { code: string }[] }).errors[0]!.code, "UNSUPPORTED");
  }
  const other = describe(mediaTypes.imageManifest, new TextEncoder().encode("another model"));
  assert.deepEqual((await page(registry, `/v2/m/referrers/${other.digest}?cursor=${cursor}`)).digests, []);
  assert.deepEqual((await page(registry, `/v2/other/referrers/${subject.digest}?cursor=${cursor}`)).digests, []);
  assert.deepEqual(registry.failures, []);
});

test("filters that are no type, device or time are refused", async (t) => {
  const registry = await loopbackRegistry(t);
  for (const query of [
    "artifactType=x",
    "tally.device=a%20b",
    "tally.since=yesterday",
    "tally.until=2026-13-01T00:00:00Z",
  ]) {
    assert.equal((await fetch(`${registry.url}${path}?${query}`)).status, 400, query);
  }
});

test("a question with few answers among many referrers comes in short pages, none of which looks at all of them", async (t) => {
  const db = await openSqlite(":memory:");
  t.after(() => db.close());
  await migrateRegistry(db);
  const contents = new Contents(db, new Retention(db, Date), new DigestTurns(), Date);
  await contents.linkBlob("m", emptyDescriptor.digest, emptyDescriptor.size);
  const add = async (referrer: Referrer) => {
    const { bytes, descriptor } = image(referrer);
    assert.deepEqual(await contents.addManifest("m", parseManifest(bytes), descriptor.digest, bytes.length, []), []);
    return descriptor.digest;
  };
  for (let n = 0; n < 25_000; n += 1) await add({ type: "a/signature", device: "d1", n });
  const wanted = await add({ device: "d1", from: 0, to: 0 });
  const filter = { device: "d1", artifactType: "a/segment" };
  const asked = { limit: 10, maxBytes: 1e6 };
  const first = await contents.referrers("m", subject.digest, filter, { ...asked, after: undefined });
  assert.deepEqual(first.descriptors, []);
  const second = await contents.referrers("m", subject.digest, filter, { ...asked, after: first.next });
  assert.deepEqual(
    second.descriptors.map((text) => JSON.parse(text).digest),
    [wanted],
  );
  assert.equal(second.next, undefined);
});

test("manifests stored before there were filters are found by them after an update", async (t) => {
  const registry = await loopbackRegistry(t);
  const digest = await push(registry, { device: "d1", from: day, to: day });
  await push(registry, { device: "d2", from: day, to: day });
  const db = await openSqlite(`${registry.dir}/registry.db`);
  t.after(() => db.close());
  await db.run("UPDATE registry_manifest SET subject_id = -1, device = NULL, from_ms = NULL, to_ms = -1");
  await db.run("DELETE FROM registry_subject");
  assert.deepEqual(await walk(registry, `${path}?tally.device=d1`), []);
  await migrateRegistry(db);
  assert.deepEqual(await walk(registry, `${path}?tally.device=d1&tally.since=${formatTime(day)}`), [digest]);
});
