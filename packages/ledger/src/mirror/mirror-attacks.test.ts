import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkEquivocation, EvidenceError, signCheckpoint, utf8 } from "@tally/evidence";
import { submitCheckpoint } from "../client/index.ts";
import { type Conflict, ConvictionError } from "../conflicts/conflict.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { startMirror } from "../testing/test-mirror.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";

async function setUp(t: TestContext) {
  const folder = await temporaryFolder(t);
  const signers = testSigners(ORIGIN, [1, 6]);
  const keySet = keySetOf(signers);
  const keySets = new Map([[ORIGIN, keySet]]);
  const mirror = await startMirror(t, { dir: join(folder, "mirror"), keySets });
  const open = async (name: string) => {
    const device = await TestDevice.open(join(folder, name), signers);
    t.after(() => device.close());
    return device;
  };
  const clone = async (of: TestDevice, name: string) => {
    const copy = await of.clone(join(folder, name));
    t.after(() => copy.close());
    return copy;
  };
  return { folder, signers, keySet, keySets, mirror, open, clone };
}

const rewritten = (index: number) => utf8(`another history ${index}`);

/** Checks a conflict as anyone can, from its notes, its proof and the keys alone. */
function assertConvicts(conflict: Conflict | undefined, keySet: ReturnType<typeof keySetOf>): void {
  assert.ok(conflict, "no conflict was reported");
  assert.equal(conflict.kind, "equivocated", conflict.reason);
  const evidence = { noteA: conflict.signed, noteB: conflict.offered, proof: conflict.proof, keySet };
  const finding = checkEquivocation(evidence);
  assert.ok(finding.proven, finding.reason);
  assert.equal(finding.origin, ORIGIN);
  assert.ok(checkEquivocation({ ...evidence, noteA: conflict.offered, noteB: conflict.signed }).proven);
  const others = keySetOf(testSigners(ORIGIN, [1, 6]));
  assert.throws(() => checkEquivocation({ ...evidence, keySet: others }), EvidenceError);
}

test("rewritten: a ledger with another past that follows the protocol convicts itself", async (t) => {
  const { mirror, keySet, open } = await setUp(t);
  const honest = await open("honest");
  await honest.growTo(21);
  await honest.sync(mirror.url);

  const rewriter = await open("rewriter");
  await rewriter.growTo(30, rewritten);
  const result = await rewriter.sync(mirror.url);
  assert.deepEqual(result.status === "refused" && [result.step, result.code], ["add-checkpoint", 422]);
  assert.equal(mirror.conflicts.length, 1);
  assertConvicts(mirror.conflicts[0], keySet);
  assert.equal(mirror.mirror.log(ORIGIN)!.pending?.checkpoint.size, 21);
  assert.equal((await honest.sync(mirror.url)).status, "mirrored");
});

test("rewritten: one entry changed in the middle is enough", async (t) => {
  const { mirror, keySet, open } = await setUp(t);
  const honest = await open("honest");
  await honest.growTo(700);
  await honest.sync(mirror.url);
  const rewriter = await open("rewriter");
  for await (const entry of honest.ledger.entries(0, 700)) {
    rewriter.ledger.append(rewriter.ledger.nextIndex === 333 ? rewritten(333) : entry.slice());
  }
  await rewriter.growTo(701);
  await rewriter.sync(mirror.url);
  assertConvicts(mirror.conflicts[0], keySet);
});

test("rewritten at the same size: two roots for one size convict without a proof", async (t) => {
  const { mirror, keySet, open } = await setUp(t);
  await (await open("honest")).growTo(16).then(() => {});
  const honest = await open("honest-2");
  await honest.growTo(16);
  await honest.sync(mirror.url);
  const rewriter = await open("rewriter");
  await rewriter.growTo(16, rewritten);
  await rewriter.sync(mirror.url);
  assert.deepEqual(mirror.conflicts[0]?.proof, []);
  assertConvicts(mirror.conflicts[0], keySet);
});

test("cut and continued: a ledger cut below the mirrored head and grown past it convicts itself", async (t) => {
  const { mirror, keySet, open, clone } = await setUp(t);
  const device = await open("device");
  await device.growTo(300);
  await device.sync(mirror.url);
  const cut = await clone(device, "cut");
  await device.growTo(410);
  await device.sync(mirror.url);
  await cut.growTo(450, rewritten);
  assert.equal((await cut.sync(mirror.url)).status, "refused");
  assertConvicts(mirror.conflicts[0], keySet);
});

test("cut and continued to a smaller size: our entries convict it, with a proof from our tree", async (t) => {
  const { mirror, keySet, open, clone } = await setUp(t);
  const device = await open("device");
  await device.growTo(300);
  await device.sync(mirror.url);
  const cut = await clone(device, "cut");
  await device.growTo(600);
  await device.sync(mirror.url);
  for (const size of [350, 512]) {
    const { note } = await cut.growTo(size, rewritten);
    const proof = await cut.ledger.consistencyProof(300, size);
    const answer = await submitCheckpoint(mirror.url, { old: 300, proof, note });
    assert.deepEqual(answer, { status: "conflict", size: 600 });
    assertConvicts(mirror.conflicts.at(-1), keySet);
  }
  assert.equal(mirror.conflicts.length, 2);
});

test("cut without going on: a ledger that is only behind is not accused", async (t) => {
  const { mirror, open, clone } = await setUp(t);
  const device = await open("device");
  await device.growTo(300);
  const copy = await clone(device, "restored");
  await device.growTo(600);
  await device.sync(mirror.url);
  assert.deepEqual(await copy.sync(mirror.url), { status: "behind", size: 600 });
  const { note } = copy.ledger.latest!;
  const tooOld = await submitCheckpoint(mirror.url, { old: 600, proof: [], note });
  assert.deepEqual(tooOld.status === "refused" && tooOld.code, 400);
  assert.deepEqual(mirror.conflicts, []);
  assert.deepEqual(await mirror.mirror.conflicts(ORIGIN), []);
});

test("cloned: the original syncs first, and the clone's branch on the same origin convicts", async (t) => {
  const { mirror, keySet, open, clone } = await setUp(t);
  const original = await open("original");
  await original.growTo(40);
  await original.sync(mirror.url);
  const copy = await clone(original, "clone");
  await original.growTo(55);
  await original.sync(mirror.url);
  await copy.growTo(77, rewritten);
  await copy.sync(mirror.url);
  assertConvicts(mirror.conflicts[0], keySet);
});

test("cloned: of two branches offered at once one is taken and the other convicts", async (t) => {
  const { mirror, keySet, open, clone } = await setUp(t);
  const original = await open("original");
  await original.growTo(40);
  await original.sync(mirror.url);
  const copy = await clone(original, "clone");
  await original.growTo(55);
  await copy.growTo(77, rewritten);
  const results = await Promise.all([original.sync(mirror.url), copy.sync(mirror.url)]);
  assert.equal(results.filter(({ status }) => status === "mirrored").length, 1);
  const loser = results[0]?.status === "mirrored" ? copy : original;
  if (mirror.conflicts.length === 0) await loser.sync(mirror.url);
  assertConvicts(mirror.conflicts[0], keySet);
});

test("rewritten where the held size is a power of two: diverged at once, equivocated when the mirror has grown", async (t) => {
  const { mirror, keySet, open } = await setUp(t);
  const honest = await open("honest");
  await honest.growTo(64);
  await honest.sync(mirror.url);
  const rewriter = await open("rewriter");
  await rewriter.growTo(70, rewritten);
  await rewriter.sync(mirror.url);
  assert.deepEqual(
    mirror.conflicts.map(({ kind }) => kind),
    ["diverged"],
  );
  await honest.growTo(69);
  await honest.sync(mirror.url);
  assert.equal(mirror.conflicts.length, 1);
  await honest.growTo(80);
  await honest.sync(mirror.url);
  assert.deepEqual(
    mirror.conflicts.map(({ kind }) => kind),
    ["diverged", "equivocated"],
  );
  assertConvicts(mirror.conflicts[1], keySet);
  assert.deepEqual(
    (await mirror.mirror.conflicts(ORIGIN)).map(({ kind }) => kind),
    ["equivocated"],
  );
});

test("cloned under proof-only sync: a smaller branch is kept, and convicts when the entries have come", async (t) => {
  const { mirror, keySet, open, clone } = await setUp(t);
  const original = await open("original");
  await original.growTo(40);
  await original.sync(mirror.url);
  const copy = await clone(original, "clone");
  const { note } = await original.growTo(90);
  await submitCheckpoint(mirror.url, { old: 40, proof: await original.ledger.consistencyProof(40, 90), note });
  const branch = await copy.growTo(60, rewritten);
  const proof = await copy.ledger.consistencyProof(40, 60);
  assert.equal((await submitCheckpoint(mirror.url, { old: 40, proof, note: branch.note })).status, "conflict");
  assert.deepEqual(mirror.conflicts, []);
  await original.sync(mirror.url);
  assertConvicts(mirror.conflicts[0], keySet);
});

test("framed: a genuine checkpoint with a made-up proof convicts nobody, and is cleared when the ledger grows", async (t) => {
  const { mirror, open, clone } = await setUp(t);
  const device = await open("device");
  await device.growTo(21);
  await device.sync(mirror.url);
  const framer = await clone(device, "framer");
  const { note } = await device.growTo(30);
  const proof = await framer.growTo(30, rewritten).then(() => framer.ledger.consistencyProof(21, 30));
  const answer = await submitCheckpoint(mirror.url, { old: 21, proof: proof.toReversed(), note });
  assert.deepEqual(answer.status === "refused" && answer.code, 422);
  assert.deepEqual(
    mirror.conflicts.map(({ kind }) => kind),
    ["diverged"],
  );
  assert.equal((await device.sync(mirror.url)).status, "mirrored");
  assert.deepEqual(await mirror.mirror.conflicts(ORIGIN), []);
});

test("stolen file key: a checkpoint that lacks one signature of the key set gets 403, whatever else signed it", async (t) => {
  const { mirror, open, signers } = await setUp(t);
  const device = await open("device");
  const { checkpoint } = await device.growTo(4);
  const thief = testSigners(ORIGIN, [6])[0]!;
  for (const keys of [[signers[0]!], [signers[1]!], [signers[0]!, thief], [thief]]) {
    const answer = await submitCheckpoint(mirror.url, {
      old: 0,
      proof: [],
      note: await signCheckpoint(checkpoint, keys, 0),
    });
    assert.deepEqual(answer.status === "refused" && answer.code, 403);
  }
  assert.equal(mirror.mirror.log(ORIGIN), undefined);
});

test("padded note: signatures that strangers added are dropped, so that the kept note keeps its hash", async (t) => {
  const { mirror, open, signers } = await setUp(t);
  const device = await open("device");
  const { checkpoint, note } = await device.growTo(4);
  const padded = await signCheckpoint(checkpoint, [...testSigners("tally.test/stranger"), ...signers, signers[0]!], 0);
  const answer = await submitCheckpoint(mirror.url, { old: 0, proof: [], note: padded });
  assert.equal(answer.status, "cosigned");
  const kept = mirror.mirror.log(ORIGIN)!.pending!.note;
  assert.equal(kept.match(/—/g)?.length, 2);
  assert.equal(kept.split("\n")[4], note.split("\n")[4]);
});

test("blocked and awaiting origins are turned away in words, also in the middle of an upload", async (t) => {
  const { folder, open } = await setUp(t);
  const device = await open("device");
  const keySet = keySetOf(device.signers);
  const keySets = new Map<string, typeof keySet | { blocked: string } | { awaiting: string }>([[ORIGIN, keySet]]);
  const mirror = await startMirror(t, { dir: join(folder, "other"), keySets });
  await device.growTo(10);
  await device.sync(mirror.url);
  await device.growTo(20);
  keySets.set(ORIGIN, { awaiting: "a restored branch awaits acceptance" });
  const awaiting = await device.sync(mirror.url);
  assert.deepEqual(awaiting.status === "refused" && awaiting.code, 404);
  keySets.set(ORIGIN, { blocked: "two holders of its keys were seen" });
  const blocked = await device.sync(mirror.url);
  assert.equal(blocked.status === "refused" && blocked.code, 403);
  assert.match(blocked.status === "refused" ? blocked.message : "", /two holders of its keys/);
  assert.equal(mirror.mirror.log(ORIGIN)!.pending?.checkpoint.size, 10);
  keySets.delete(ORIGIN);
  const unknown = await device.sync(mirror.url);
  assert.deepEqual(unknown.status === "refused" && unknown.code, 404);
});

test("a checkpoint that waited in the queue behind the one that got the origin blocked is turned away", async (t) => {
  const { mirror, keySets, open } = await setUp(t);
  const honest = await open("honest");
  await honest.growTo(21);
  await honest.sync(mirror.url);
  const rewriter = await open("rewriter");
  const forged = await rewriter.growTo(30, rewritten);
  const grown = await honest.growTo(25);
  const push = mirror.conflicts.push.bind(mirror.conflicts);
  mirror.conflicts.push = (...found) => {
    keySets.set(ORIGIN, { blocked: "equivocated" } as never);
    return push(...found);
  };
  const proofs = [await rewriter.ledger.consistencyProof(21, 30), await honest.ledger.consistencyProof(21, 25)];
  const [first, second] = await Promise.all([
    submitCheckpoint(mirror.url, { old: 21, proof: proofs[0]!, note: forged.note }),
    submitCheckpoint(mirror.url, { old: 21, proof: proofs[1]!, note: grown.note }),
  ]);
  const codes = [first, second].map((answer) => (answer.status === "refused" ? answer.code : answer.status));
  assert.ok(codes[0] === 422 ? codes[1] === 403 : codes[1] === "cosigned", String(codes));
});

test("lying ordinals: entries that the inspector refuses convict, are kept with their proof, and are not stored", async (t) => {
  const { folder, keySets, open } = await setUp(t);
  const seen: [number, number][] = [];
  const stored: number[] = [];
  const mirror = await startMirror(t, {
    dir: join(folder, "inspecting"),
    keySets,
    inspect: {
      check: (_log, from, { ends }) => {
        if (from <= 600 && from + ends.length > 600) throw new ConvictionError("entry 600 repeats ordinal 7 of load 3");
        seen.push([from, ends.length]);
      },
      stored: ({ nextEntry }) => void stored.push(nextEntry),
    },
  });
  const device = await open("device");
  await device.growTo(300);
  await device.sync(mirror.url);
  await device.growTo(900);
  const result = await device.sync(mirror.url);
  assert.deepEqual(result.status === "refused" && [result.code, result.message], [
    422,
    "entry 600 repeats ordinal 7 of load 3",
  ]);
  assert.deepEqual(seen, [
    [0, 256],
    [256, 44],
    [300, 212],
  ]);
  assert.deepEqual(stored, [300, 512]);
  assert.equal(mirror.mirror.log(ORIGIN)!.nextEntry, 512);
  const [conflict] = mirror.conflicts;
  assert.equal(conflict?.kind, "diverged");
  assert.deepEqual(
    [conflict?.entries?.start, conflict?.entries?.end, conflict?.entries?.entries.length],
    [512, 768, 256],
  );
  const [kept] = await mirror.mirror.conflicts(ORIGIN);
  assert.deepEqual(kept?.entries?.entries[88], await device.ledger.entry(600));
});

test("an inspector that fails by itself convicts nobody", async (t) => {
  const { folder, keySets, open } = await setUp(t);
  let away = true;
  const check = () => {
    if (away) throw new Error("the database is away");
  };
  const mirror = await startMirror(t, { dir: join(folder, "inspecting"), keySets, inspect: { check } });
  const device = await open("device");
  await device.growTo(30);
  const failed = await device.sync(mirror.url);
  assert.deepEqual(failed.status === "refused" && failed.code, 500);
  assert.deepEqual(mirror.conflicts, []);
  away = false;
  assert.equal((await device.sync(mirror.url)).status, "mirrored");
});

test("a flood of contradictions stays bounded on disk, and the first ones stay", async (t) => {
  const { mirror, keySet, open } = await setUp(t);
  const honest = await open("honest");
  await honest.growTo(21);
  await honest.sync(mirror.url);
  const rewriter = await open("rewriter");
  for (let size = 22; size < 62; size += 1) {
    const { note } = await rewriter.growTo(size, rewritten);
    await submitCheckpoint(mirror.url, { old: 21, proof: await rewriter.ledger.consistencyProof(21, size), note });
  }
  assert.equal(mirror.conflicts.length, 40);
  const kept = await mirror.mirror.conflicts(ORIGIN);
  assert.equal(kept.length, 32);
  assert.equal(kept[0]?.offered, mirror.conflicts[0]?.offered);
  for (const conflict of kept.slice(0, 3)) assertConvicts(conflict, keySet);
});
