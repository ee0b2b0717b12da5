import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { decodeEntryBundle, type NoteSignature, parseCheckpoint, verifyNote } from "@tally/evidence";
import { uploadEntries } from "../client/index.ts";
import { sampleEntry } from "../testing/sample-entries.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { startMirror, type TestMirror } from "../testing/test-mirror.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";
import { formatAddCheckpointBody, originHash } from "../witness/index.ts";
import { parseMirrorInfo } from "./mirror-info.ts";
import { formatPackage, formatUploadHeader, packageRanges } from "./upload-body.ts";

async function setUp(t: TestContext, types: readonly (1 | 6)[] = [1]) {
  const folder = await temporaryFolder(t);
  const signers = testSigners(ORIGIN, types);
  const keySets = new Map([[ORIGIN, keySetOf(signers)]]);
  const device = await TestDevice.open(join(folder, "device"), signers);
  t.after(() => device.close());
  const mirror = await startMirror(t, { dir: join(folder, "mirror"), keySets });
  return { folder, signers, keySets, device, mirror };
}

/** Verifies cosignature lines as a client does: appended to the note, with the cosigner's keys. */
function cosignedBy(note: string, signatures: readonly NoteSignature[], signers: TestMirror["witness"]): number[] {
  const { note: parsed } = parseCheckpoint(note);
  const keys = signers.map(({ key }) => key);
  const verified = verifyNote({ ...parsed, signatures: [...parsed.signatures, ...signatures] }, keys);
  return verified.map(({ key }) => key.type);
}

async function rawUpload(
  device: TestDevice,
  start: number,
  end: number,
  ticket: Uint8Array = new Uint8Array(0),
): Promise<Uint8Array[]> {
  const parts = [formatUploadHeader({ origin: ORIGIN, start, end, ticket })];
  for (const range of packageRanges(start, end)) {
    const entries = await Array.fromAsync(device.ledger.entries(range.start, range.end));
    parts.push(formatPackage(entries, await device.ledger.subtreeConsistencyProof(range.aligned, range.end, end)));
  }
  return parts;
}

async function propose(
  mirror: TestMirror,
  device: TestDevice,
  old: number,
): Promise<{ status: number; text: string; type: string | null }> {
  const { checkpoint, note } = device.ledger.latest!;
  const proof = await device.ledger.consistencyProof(Math.min(old, checkpoint.size), checkpoint.size);
  const response = await fetch(`${mirror.url}/add-checkpoint`, {
    method: "POST",
    body: formatAddCheckpointBody({ old, proof, note }),
  });
  return { status: response.status, text: await response.text(), type: response.headers.get("content-type") };
}

async function upload(mirror: TestMirror, parts: readonly Uint8Array[]): Promise<{ status: number; text: string }> {
  const response = await fetch(`${mirror.url}/add-entries`, { method: "POST", body: Buffer.concat(parts) });
  return { status: response.status, text: await response.text() };
}

test("an honestly growing ledger is mirrored at every size, around package boundaries and beyond one request", async (t) => {
  const { device, mirror } = await setUp(t, [1, 6]);
  for (const size of [1, 2, 255, 256, 257, 512, 700, 9_300]) {
    const { note } = await device.growTo(size);
    const result = await device.sync(mirror.url);
    assert.equal(result.status, "mirrored");
    assert.deepEqual(cosignedBy(note, result.witness, mirror.witness), [4, 6]);
    assert.deepEqual(cosignedBy(note, result.mirror, mirror.cosigner), [4, 6]);
    const log = mirror.mirror.log(ORIGIN)!;
    assert.equal(log.mirrored?.checkpoint.size, size);
    assert.equal(log.mirrored?.note, note);
    assert.equal(log.nextEntry, size);
    assert.deepEqual(await log.root(), await device.ledger.root());
  }
  assert.deepEqual(mirror.conflicts, []);
  assert.deepEqual(mirror.mirror.origins(), [ORIGIN]);
});

test("what is mirrored is served with the mirror's cosignatures, what is pending with the witness's", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(300);
  await device.sync(mirror.url);
  await device.growTo(310);
  await propose(mirror, device, 300);

  const base = `${mirror.url}/${originHash(ORIGIN)}`;
  const read = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());
  const mirrored = parseCheckpoint(await read(`${base}/checkpoint`));
  assert.equal(mirrored.checkpoint.size, 300);
  assert.equal(
    verifyNote(
      mirrored.note,
      [...device.signers, ...mirror.cosigner].map(({ key }) => key),
    ).length,
    3,
  );
  const pending = parseCheckpoint(await read(`${mirror.url}/witness/${originHash(ORIGIN)}/checkpoint`));
  assert.equal(pending.checkpoint.size, 310);
  assert.equal(
    verifyNote(
      pending.note,
      [...device.signers, ...mirror.witness].map(({ key }) => key),
    ).length,
    3,
  );

  assert.deepEqual(decodeEntryBundle(await read(`${base}/tile/entries/000`))[17], sampleEntry(17));
  assert.equal((await read(`${base}/tile/0/001.p/44`)).length, 44 * 32);
  for (const path of ["tile/0/001", "tile/entries/001.p/45", "tile/0/002", "..", "", "log"]) {
    assert.equal((await fetch(`${base}/${path}`)).status, 404, path);
  }
});

test("an upload that is cut after any package, or within one, goes on where it was cut", async (t) => {
  const { device, folder, keySets } = await setUp(t);
  const size = 1_300;
  await device.growTo(size);
  const parts = await rawUpload(device, 0, size);
  for (let kept = 1; kept < parts.length; kept += 1) {
    for (const extra of [new Uint8Array(0), parts[kept]!.subarray(0, 700)]) {
      const mirror = await startMirror(t, { dir: join(folder, `mirror-${kept}-${extra.length}`), keySets });
      assert.equal((await propose(mirror, device, 0)).status, 200);
      const cut = await upload(mirror, [...parts.slice(0, kept), extra]);
      if (kept === 1) {
        assert.equal(cut.status, 400);
      } else {
        assert.equal(cut.status, 202);
        const { size: end, nextEntry } = parseMirrorInfo(cut.text);
        assert.deepEqual([end, nextEntry], [size, (kept - 1) * 256]);
      }
      assert.equal((await device.sync(mirror.url)).status, "mirrored");
      assert.deepEqual(await mirror.mirror.log(ORIGIN)!.root(), await device.ledger.root());
      await mirror.stop();
    }
  }
});

test("a connection lost within an upload keeps the packages before it", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(1_000);
  await propose(mirror, device, 0);
  const parts = await rawUpload(device, 0, 1_000);
  const body = (async function* () {
    yield* parts.slice(0, 3);
    throw new Error("connection lost");
  })();
  const response = await mirror.mirror.addEntries(body);
  assert.equal(response.status, 202);
  assert.equal(mirror.mirror.log(ORIGIN)!.nextEntry, 512);
});

test("a tampered entry is refused with its package, and the packages before it stay", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(1_000);
  await propose(mirror, device, 0);
  const parts = await rawUpload(device, 0, 1_000);
  parts[3]![10]! ^= 1;
  const refused = await upload(mirror, parts);
  assert.equal(refused.status, 422);
  assert.match(refused.text, /\[512, 768\)/);
  assert.equal(mirror.mirror.log(ORIGIN)!.nextEntry, 512);
  assert.equal(mirror.mirror.log(ORIGIN)!.mirrored, undefined);
  assert.equal((await device.sync(mirror.url)).status, "mirrored");
});

test("a package with a wrong, a longer or a shorter proof is refused", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(700);
  await propose(mirror, device, 0);
  const entries = await Array.fromAsync(device.ledger.entries(0, 256));
  const proof = await device.ledger.subtreeConsistencyProof(0, 256, 700);
  const header = formatUploadHeader({ origin: ORIGIN, start: 0, end: 700, ticket: new Uint8Array(0) });
  for (const wrong of [[], proof.slice(1), [...proof, proof[0]!], proof.toReversed(), proof.with(0, proof[1]!)]) {
    assert.equal((await upload(mirror, [header, formatPackage(entries, wrong)])).status, 422);
  }
  assert.equal(mirror.mirror.log(ORIGIN)!.nextEntry, 0);
  const long = new Uint8Array([...formatPackage(entries, []).slice(0, -1), 64]);
  assert.equal((await upload(mirror, [header, long])).status, 422);
});

test("bytes behind the last package, and a body without a whole package, are malformed", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(300);
  await propose(mirror, device, 0);
  const parts = await rawUpload(device, 0, 300);
  assert.equal((await upload(mirror, [...parts, Uint8Array.of(0)])).status, 400);
  assert.equal(mirror.mirror.log(ORIGIN)!.mirrored, undefined);
  assert.equal((await upload(mirror, [parts[0]!])).status, 400);
  assert.equal((await upload(mirror, [parts[0]!.subarray(0, 9)])).status, 400);
  assert.equal((await upload(mirror, [])).status, 400);
});

test("a replayed checkpoint or upload changes nothing", async (t) => {
  const { device, mirror } = await setUp(t);
  const { note } = await device.growTo(300);
  assert.equal((await propose(mirror, device, 0)).status, 200);
  assert.deepEqual(await propose(mirror, device, 0).then(({ status, text }) => [status, text]), [409, "300\n"]);
  assert.equal((await propose(mirror, device, 300)).status, 200);
  const parts = await rawUpload(device, 0, 300);
  for (let time = 0; time < 3; time += 1) assert.equal((await upload(mirror, parts)).status, 200);
  assert.equal(mirror.mirror.log(ORIGIN)!.mirrored?.note, note);

  await device.growTo(600);
  await device.sync(mirror.url);
  const late = await upload(mirror, parts);
  assert.equal(late.status, 409);
  assert.deepEqual(parseMirrorInfo(late.text).size, 600);
  assert.equal(mirror.mirror.log(ORIGIN)!.mirrored?.checkpoint.size, 600);
  assert.deepEqual(mirror.conflicts, []);
});

test("a stale old size gets 409 with the size held, as text/x.tlog.size", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(5);
  await propose(mirror, device, 0);
  await device.growTo(9);
  await propose(mirror, device, 5);
  await device.growTo(12);
  assert.deepEqual(await propose(mirror, device, 5), { status: 409, text: "9\n", type: "text/x.tlog.size" });
  assert.deepEqual(await propose(mirror, device, 11), { status: 409, text: "9\n", type: "text/x.tlog.size" });
  assert.equal((await propose(mirror, device, 13)).status, 400);
  assert.equal((await propose(mirror, device, 9)).status, 200);
  assert.deepEqual(mirror.conflicts, []);
});

test("of two growths from the same old size exactly one wins, whichever way they race", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(5);
  await propose(mirror, device, 0);
  const bodies: string[] = [];
  for (const size of [8, 11, 14, 17]) {
    const { note } = await device.growTo(size);
    bodies.push(formatAddCheckpointBody({ old: 5, proof: await device.ledger.consistencyProof(5, size), note }));
  }
  const answers = await Promise.all(
    bodies.map((body) => fetch(`${mirror.url}/add-checkpoint`, { method: "POST", body })),
  );
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [200, 409, 409, 409]);
  assert.deepEqual(mirror.conflicts, []);
});

test("a mirror that restarts between add-checkpoint and add-entries takes the entries", async (t) => {
  const { device, mirror, folder, keySets } = await setUp(t);
  await device.growTo(600);
  assert.equal((await propose(mirror, device, 0)).status, 200);
  const parts = await rawUpload(device, 0, 600);
  assert.equal((await upload(mirror, parts.slice(0, 2))).status, 202);
  await mirror.stop();

  const again = await startMirror(t, { dir: join(folder, "mirror"), keySets });
  const log = again.mirror.log(ORIGIN)!;
  assert.deepEqual([log.pending?.checkpoint.size, log.nextEntry, log.mirrored], [600, 256, undefined]);
  assert.equal((await upload(again, await rawUpload(device, 256, 600))).status, 200);
  assert.equal(log.mirrored?.checkpoint.size, 600);
});

test("with its ticket an upload to an overtaken checkpoint goes on, even after a restart", async (t) => {
  const { device, mirror, folder, keySets } = await setUp(t);
  await device.growTo(600);
  await propose(mirror, device, 0);
  const partial = await uploadEntries(mirror.url, { log: device.ledger, start: 0, end: 600 });
  assert.equal(partial.status, "complete");

  const older = await device.growTo(900);
  await propose(mirror, device, 600);
  const begun = await upload(mirror, (await rawUpload(device, 600, 900)).slice(0, 2));
  const { ticket, nextEntry } = parseMirrorInfo(begun.text);
  await device.growTo(1_200);
  await propose(mirror, device, 900);
  await mirror.stop();

  const again = await startMirror(t, { dir: join(folder, "mirror"), keySets });
  const without = await upload(again, await rawUpload(device, nextEntry, 900));
  assert.deepEqual([without.status, parseMirrorInfo(without.text).size], [409, 1_200]);
  const forged = ticket.slice();
  forged[40]! ^= 1;
  assert.equal((await upload(again, await rawUpload(device, nextEntry, 900, forged))).status, 409);
  assert.equal((await upload(again, await rawUpload(device, nextEntry, 900, ticket))).status, 200);
  assert.equal(again.mirror.log(ORIGIN)!.mirrored?.note, older.note);
  assert.equal((await device.sync(again.url)).status, "mirrored");
  assert.equal((await upload(again, await rawUpload(device, 900, 900, ticket))).status, 409);
});

test("an upload that begins too late or sends too much again is told where to begin", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(9_000);
  await device.sync(mirror.url);
  await device.growTo(9_100);
  await propose(mirror, device, 9_000);
  for (const start of [9_001, 9_100, 0]) {
    const response = await upload(mirror, (await rawUpload(device, start, 9_100)).slice(0, 1));
    assert.equal(response.status, 409);
    assert.deepEqual(parseMirrorInfo(response.text).nextEntry, 9_000);
  }
  assert.equal((await upload(mirror, await rawUpload(device, 8_500, 9_100))).status, 200);
});

test("uploads of the same entries at the same time all end well", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(2_000);
  await propose(mirror, device, 0);
  const results = await Promise.all(Array.from({ length: 4 }, () => device.sync(mirror.url)));
  assert.deepEqual(new Set(results.map(({ status }) => status)), new Set(["mirrored"]));
  assert.deepEqual(await mirror.mirror.log(ORIGIN)!.root(), await device.ledger.root());
});

test("entries for a log without an accepted checkpoint get 422, for an unknown log 404", async (t) => {
  const { device, mirror } = await setUp(t);
  await device.growTo(3);
  assert.equal((await upload(mirror, await rawUpload(device, 0, 3))).status, 422);
  const unknown = formatUploadHeader({ origin: "tally.test/other", start: 0, end: 3, ticket: new Uint8Array(0) });
  assert.equal((await upload(mirror, [unknown])).status, 404);
  assert.deepEqual(mirror.mirror.origins(), []);
});
