import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  asRootHash,
  checkEquivocation,
  emptyRoot,
  type NoteKey,
  parseCheckpoint,
  signCheckpoint,
  utf8,
  verifyNote,
} from "@tally/evidence";
import { proveGrowth, submitCheckpoint } from "../client/index.ts";
import type { Conflict } from "../conflicts/conflict.ts";
import { type Files, nodeFiles } from "../files/index.ts";
import { faultyFiles } from "../testing/faulty-files.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { cosignerKeys } from "../testing/test-mirror.ts";
import { keySetOf, testSigners } from "../testing/test-signers.ts";
import { formatAddCheckpointBody, originHash, serveWitness, Witness, type WitnessOptions } from "./index.ts";

const LOG = "tally.test/plane/log";
const KEYS = cosignerKeys("tally.test/witness");
const keys: NoteKey[] = KEYS.map(({ key }) => key);

async function setUp(t: TestContext, options: Partial<WitnessOptions> = {}) {
  const folder = await temporaryFolder(t);
  const signers = testSigners(LOG, [1, 6]);
  const log = await TestDevice.open(join(folder, "log"), signers);
  t.after(() => log.close());
  const dir = join(folder, "witness");
  const open = async (more: Partial<WitnessOptions> = {}) => {
    const logs = signers.map(({ key }) => key);
    const witness = await Witness.open({ dir, signers: KEYS, logs, ...options, ...more });
    const server = await serveWitness({ witness });
    let closed: Promise<void> | undefined;
    const close = () => {
      closed ??= server.close().then(() => witness.close());
      return closed;
    };
    t.after(close);
    return { witness, url: server.url, close };
  };
  return { log, signers, open, folder };
}

function timesOf(note: string, signatures: Parameters<typeof verifyNote>[0]["signatures"]): (number | null)[] {
  return verifyNote({ ...parseCheckpoint(note).note, signatures }, keys).map(({ time }) => time);
}

async function grow(url: string, log: TestDevice, size: number, old?: number) {
  const latest = await log.growTo(size);
  const result = await proveGrowth(url, { log: log.ledger, latest, ...(old !== undefined && { old }) });
  assert.equal(result.status, "cosigned");
  return { note: latest.note, signatures: result.status === "cosigned" ? result.signatures : [] };
}

test("a growing log gets cosignatures of both kinds, at the clock's time", async (t) => {
  const { log, open } = await setUp(t, { clock: { now: () => 1_800_000_000_999 } });
  const { url } = await open();
  for (const size of [1, 2, 7, 8, 300]) {
    const { note, signatures } = await grow(url, log, size);
    assert.deepEqual(timesOf(note, signatures), [1_800_000_000, 1_800_000_000]);
  }
});

test("the time of a cosignature is never 0 and never goes back, not even over a restart", async (t) => {
  let now = 0;
  const { log, open } = await setUp(t, { clock: { now: () => now } });
  const first = await open();
  const times: (number | null)[] = [];
  const step = async (url: string, clock: number, size: number) => {
    now = clock;
    const { note, signatures } = await grow(url, log, size);
    times.push(...timesOf(note, signatures));
  };
  await step(first.url, 0, 3);
  await step(first.url, 5_000_000, 5);
  await step(first.url, 2_000_000, 9);
  await first.close();
  const second = await open();
  await step(second.url, 1_000_000, 12);
  await step(second.url, 6_000_000, 13);
  assert.deepEqual(times, [1, 1, 5000, 5000, 5000, 5000, 5000, 5000, 6000, 6000]);
});

test("monitors read the latest checkpoint with the log's and the witness's signatures, also after a restart", async (t) => {
  const { log, signers, open } = await setUp(t);
  const first = await open();
  const path = `${originHash(LOG)}/checkpoint`;
  assert.equal((await fetch(`${first.url}/${path}`)).status, 404);
  await grow(first.url, log, 20);
  const { signatures } = await grow(first.url, log, 33, 20);
  const before = await (await fetch(`${first.url}/${path}`)).text();
  await first.close();
  const second = await open();
  const response = await fetch(`${second.url}/${path}`);
  assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
  const text = await response.text();
  assert.equal(text, before);
  const { checkpoint, note } = parseCheckpoint(text);
  assert.equal(checkpoint.size, 33);
  assert.equal(verifyNote(note, [...keys, ...signers.map(({ key }) => key)]).length, 4);
  assert.deepEqual(note.signatures.slice(2), signatures);
});

test("each refusal has the status that tlog-witness gives it, and moves nothing", async (t) => {
  const { log, signers, open } = await setUp(t);
  const { url, witness } = await open();
  const at8 = await log.growTo(8);
  const at20 = await log.growTo(20);
  const root = asRootHash(new Uint8Array(32).fill(7));
  const sign = (size: number, by = signers) => signCheckpoint({ origin: LOG, size, root }, by, 0);
  const proof = await log.ledger.consistencyProof(8, 20);
  const post = async (body: string | Uint8Array<ArrayBuffer>) => {
    const response = await fetch(`${url}/add-checkpoint`, { method: "POST", body });
    return [response.status, response.headers.get("content-type"), await response.text()] as const;
  };
  const status = async (old: number, note: string, hashes = proof) =>
    (await post(formatAddCheckpointBody({ old, proof: hashes, note })))[0];

  assert.equal(await status(0, await sign(0), []), 422);
  assert.equal(await status(3, at8.note, []), 409);
  assert.equal(await status(0, at8.note), 422);
  assert.equal(await status(0, at8.note, []), 200);
  assert.equal(await status(9, at8.note, []), 400);
  const stranger = await signCheckpoint(
    { origin: "tally.test/other", size: 8, root },
    testSigners("tally.test/other"),
    0,
  );
  assert.equal(await status(8, stranger, []), 404);
  assert.equal(await status(8, await sign(20, testSigners(LOG)), []), 403);
  assert.deepEqual(await post(formatAddCheckpointBody({ old: 7, proof, note: at20.note })), [
    409,
    "text/x.tlog.size",
    "8\n",
  ]);
  assert.equal(await status(8, at20.note, []), 422);
  assert.equal(await status(8, at20.note, proof.toReversed()), 422);
  assert.equal(await status(8, at20.note, [...proof, proof[0]!]), 422);
  assert.equal(await status(8, await sign(20)), 422);
  assert.equal(await status(8, await sign(8), []), 422);
  assert.equal(await status(8, at8.note, proof), 422);
  assert.equal((await post("old 8\n"))[0], 400);
  assert.equal((await post(Uint8Array.of(0xff, 0xfe)))[0], 400);
  assert.equal(witness.head(LOG)?.checkpoint.size, 8);
  assert.equal(await status(8, at20.note), 200);
});

test("an empty log can be cosigned, and grows without a proof", async (t) => {
  const { log, signers, open } = await setUp(t);
  const { url } = await open();
  const note = await signCheckpoint({ origin: LOG, size: 0, root: emptyRoot }, signers, 0);
  assert.equal((await submitCheckpoint(url, { old: 0, proof: [], note })).status, "cosigned");
  await grow(url, log, 5);
});

test("a signature by one of a log's keys is enough, and a wrong one beside it is not", async (t) => {
  const { log, signers, open } = await setUp(t);
  const { url } = await open();
  const { checkpoint } = await log.growTo(4);
  const submit = async (note: string) => submitCheckpoint(url, { old: 0, proof: [], note });
  const whole = await signCheckpoint(checkpoint, signers, 0);
  const wrong = await signCheckpoint({ ...checkpoint, size: 5 }, [signers[1]!], 0);
  const mixed = whole.split("\n").with(5, wrong.split("\n")[4]!).join("\n");
  const refused = await submit(mixed);
  assert.equal(refused.status === "refused" && refused.code, 403);
  assert.equal((await submit(await signCheckpoint(checkpoint, [signers[0]!], 0))).status, "cosigned");
});

test("of growths that race from the same size exactly one is cosigned", async (t) => {
  const { log, open } = await setUp(t);
  const { url, witness } = await open();
  await grow(url, log, 5);
  const offers = [];
  for (const size of [6, 7, 8, 9, 10]) {
    const { note } = await log.growTo(size);
    offers.push({ old: 5, proof: await log.ledger.consistencyProof(5, size), note });
  }
  const results = await Promise.all(offers.map((offer) => submitCheckpoint(url, offer)));
  assert.equal(results.filter(({ status }) => status === "cosigned").length, 1);
  const winner = results.findIndex(({ status }) => status === "cosigned");
  assert.equal(witness.head(LOG)?.checkpoint.size, 6 + winner);
});

test("two histories: a log that forks before a witness is convicted by what it signed", async (t) => {
  const told: Conflict[] = [];
  const { log, signers, open, folder } = await setUp(t, { onConflict: async (conflict) => void told.push(conflict) });
  const { url, witness, close } = await open();
  await grow(url, log, 5);
  const sameSize = await signCheckpoint({ origin: LOG, size: 5, root: asRootHash(new Uint8Array(32)) }, signers, 0);
  await submitCheckpoint(url, { old: 5, proof: [], note: sameSize });
  const fork = await TestDevice.open(join(folder, "fork"), signers);
  t.after(() => fork.close());
  const latest = await fork.growTo(9, (index) => utf8(`another ${index}`));
  const result = await proveGrowth(url, { log: fork.ledger, latest });
  assert.equal(result.status === "refused" && result.code, 422);

  assert.equal(told.length, 2);
  for (const { kind, signed, offered, proof } of told) {
    assert.equal(kind, "equivocated");
    assert.ok(checkEquivocation({ noteA: signed, noteB: offered, proof, keySet: keySetOf(signers) }).proven);
  }
  assert.equal(witness.head(LOG)?.checkpoint.size, 5);
  await close();
  const again = await open();
  assert.deepEqual(await again.witness.conflicts(LOG), told);
});

for (const operation of ["write", "sync", "rename", "sync-directory"] as const) {
  test(`no cosignature leaves a witness whose ${operation} fails, and it goes on when the disk does`, async (t) => {
    let broken = false;
    const files = faultyFiles((what, file) =>
      broken && what === operation && !file.startsWith("lock") ? "EIO" : undefined,
    );
    const { log, open } = await setUp(t);
    const { url, witness } = await open({ files });
    await grow(url, log, 5);
    broken = true;
    const { note } = await log.growTo(9);
    const offer = { old: 5, proof: await log.ledger.consistencyProof(5, 9), note };
    const failed = await submitCheckpoint(url, offer);
    assert.deepEqual(failed.status === "refused" && failed.code, 500);
    assert.doesNotMatch(failed.status === "refused" ? failed.message : "", /EIO|\//);
    assert.equal(witness.head(LOG)?.checkpoint.size, 5);
    broken = false;
    assert.equal((await submitCheckpoint(url, offer)).status, "cosigned");
  });
}

test("a second process cannot use the same folder", async (t) => {
  const { open } = await setUp(t);
  const first = await open();
  await assert.rejects(open(), { code: "locked" });
  await first.close();
  await open();
});

test("keys that cannot cosign are refused when the witness is opened", async (t) => {
  const { open } = await setUp(t);
  await assert.rejects(open({ signers: testSigners("tally.test/witness") }), { code: "signing-refused" });
});

test("the server answers what is not its own, too long or half sent without falling over", async (t) => {
  const { log, open } = await setUp(t);
  const { url } = await open();
  const status = async (path: string, init?: RequestInit) => (await fetch(`${url}/${path}`, init)).status;
  assert.equal(await status(""), 404);
  assert.equal(await status("add-checkpoint"), 405);
  assert.equal(await status(`${originHash(LOG)}/checkpoint`, { method: "DELETE" }), 405);
  assert.equal(await status(`${originHash(LOG)}/../checkpoint`), 404);
  assert.equal(await status("add-checkpoint", { method: "POST", body: "x".repeat(256 * 1024 + 1) }), 413);
  await new Promise<void>((resolve) => {
    const cut = request(`${url}/add-checkpoint`, { method: "POST", headers: { "content-length": 1000 } });
    cut.on("error", () => resolve());
    cut.write("old 0\n", () => cut.destroy());
  });
  await new Promise<void>((resolve) => {
    const { hostname, port } = new URL(url);
    const raw = connect(Number(port), hostname, () => raw.write("nonsense\r\n\r\n"));
    raw.on("data", () => {}).on("close", () => resolve());
  });
  await grow(url, log, 2);
});

test("closing answers what was begun and takes nothing new", async (t) => {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const files: Files = {
    ...nodeFiles,
    async rename(from, to) {
      reached.resolve();
      await gate.promise;
      await nodeFiles.rename(from, to);
    },
  };
  const { log, open } = await setUp(t);
  const { url, close } = await open({ files });
  const { note } = await log.growTo(6);
  const begun = submitCheckpoint(url, { old: 0, proof: [], note });
  await reached.promise;
  const closed = close();
  await assert.rejects(submitCheckpoint(url, { old: 0, proof: [], note }), { code: "unreachable" });
  gate.resolve();
  assert.equal((await begun).status, "cosigned");
  await closed;
});
