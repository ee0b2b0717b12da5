// torchwood (filippo.io/torchwood), written by the author of C2SP's witness specifications: its witness cosigns a plane of Tally, and its
// library checks the proofs that Tally writes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  emptyRoot,
  formatTlogProof,
  formatVkey,
  generatePrivateKeyPem,
  type NoteKey,
  noteSignerFromPem,
  parseNote,
  parseVkey,
  signCheckpoint,
  toBase64,
  utf8,
  verifyNote,
} from "@tally/evidence";
import { Ledger, submitCheckpoint } from "@tally/ledger";
import { openPlaneKeys } from "../packages/plane/src/keys/plane-keys.ts";
import { planeName, TestPlane } from "../packages/plane/src/testing/test-plane.ts";
import { program } from "./programs.ts";
import { freePort, startServer, temporaryFolder, until } from "./server-process.ts";

const run = promisify(execFile);

/** litewitness with a key in an agent, ready for logs. */
async function startWitness(t: TestContext, logs: readonly NoteKey[]) {
  const path = program(t, "litewitness");
  if (path === undefined) return undefined;
  const agent = program(t, "ssh-agent");
  if (agent === undefined) return undefined;
  const folder = await temporaryFolder(t);
  const [socket, keyFile, db] = ["agent", "key", "witness.db"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keyFile]);
  const agentProcess = await startServer(t, agent, ["-D", "-a", socket], { socket });
  await run("ssh-add", ["-q", keyFile], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
  const { stdout: listed }: { stdout: string } = await run("ssh-keygen", ["-lf", `${keyFile}.pub`]);
  const port = await freePort();
  const args = [
    "-name=witness.test/lite",
    `-db=${db}`,
    `-ssh-agent=${socket}`,
    `-listen=127.0.0.1:${port}`,
    `-key=${listed.split(" ")[1]}`,
  ];
  const server = await startServer(t, path, args, { port });
  const vkey = await until(() => /vkey=(\S+)/.exec(server.said())?.[1]);
  // What `witnessctl add-log` and `add-key` do; that program of torchwood cannot be built from the module proxy.
  const database = new DatabaseSync(db);
  for (const key of logs) {
    database
      .prepare("INSERT OR IGNORE INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)")
      .run(key.name, toBase64(emptyRoot));
    database.prepare("INSERT INTO key (origin, key) VALUES (?, ?)").run(key.name, formatVkey(key));
  }
  database.close();
  return { key: parseVkey(vkey), vkey, url: `http://127.0.0.1:${port}`, agentProcess };
}

test("a plane whose outside witness is litewitness signs, publishes, and goes on after a restart", async (t) => {
  const dir = join(await temporaryFolder(t), "plane");
  const keys = await openPlaneKeys(join(dir, "keys"), planeName);
  const logs = [...keys.log, ...keys.fleet].map(({ key }) => key).filter(({ type }) => type === 1);
  const witness = await startWitness(t, logs);
  if (witness === undefined) return;
  const witnessPolicy = `witness lite ${witness.vkey} ${witness.url}\nquorum lite\n`;
  const plane = await TestPlane.start(t, { dir, witnessPolicy, init: true });
  for (let round = 0; round < 3; round += 1) {
    await plane.enrolmentToken();
    await plane.seal();
    assert.equal((await plane.call("GET", "/readyz")).status, 200);
    const { note } = (await plane.plane.parts.source.newest())!;
    assert.equal(verifyNote(parseNote(note), [witness.key]).length, 1, "litewitness's cosignature is on it");
    await plane.stop();
    await plane.start({ init: false });
  }
});

test("litewitness and Tally's client agree on conflicts, growth and what is refused", async (t) => {
  const origin = "tally.test/plane/d/00112233445566778899aabbccddeeff/0";
  const signers = [
    noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519")),
    noteSignerFromPem(origin, 6, generatePrivateKeyPem("ml-dsa-44")),
  ];
  const witness = await startWitness(t, [signers[0]!.key]);
  if (witness === undefined) return;
  const ledger = await Ledger.open({ dir: join(await temporaryFolder(t), "ledger"), origin, signers });
  t.after(() => ledger.close());
  const { url } = witness;
  const grown = async (size: number) => {
    for (let index = ledger.size; index < size; index += 1) ledger.append(utf8(`entry ${index}`));
    return (await ledger.seal()).note;
  };
  const submit = async (note: string, old: number, to: number) =>
    submitCheckpoint(url, { note, old, proof: old === 0 ? [] : await ledger.consistencyProof(old, to) });

  const first = await grown(300);
  assert.equal((await submit(first, 0, 300)).status, "cosigned");
  const second = await grown(1000);
  assert.deepEqual(await submitCheckpoint(url, { note: second, old: 0, proof: [] }), { status: "conflict", size: 300 });
  const cosigned = await submit(second, 300, 1000);
  assert.equal(cosigned.status, "cosigned");
  assert.deepEqual(await submitCheckpoint(url, { note: first, old: 0, proof: [] }), { status: "conflict", size: 1000 });
  const others = await signCheckpoint({ origin, size: 1100, root: ledger.latest!.checkpoint.root }, signers, 0);
  const forged = await submitCheckpoint(url, {
    note: others,
    old: 1000,
    proof: await ledger.consistencyProof(300, 1000),
  });
  assert.equal(forged.status === "refused" && forged.code, 422);
  const stranger = noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519"));
  const note = await signCheckpoint(ledger.latest!.checkpoint, [stranger], 0);
  const unsigned = await submitCheckpoint(url, { note, old: 1000, proof: [] });
  assert.equal(unsigned.status === "refused" && unsigned.code, 403);
});

test("torchwood's library accepts the tlog-proof of a record under log and witness, and no other record", async (t) => {
  const path = program(t, "verify-proof");
  if (path === undefined) return;
  const origin = "tally.test/plane/d/00112233445566778899aabbccddeeff/0";
  const signers = [
    noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519")),
    noteSignerFromPem(origin, 6, generatePrivateKeyPem("ml-dsa-44")),
  ];
  const cosigner = noteSignerFromPem("witness.test/one", 4, generatePrivateKeyPem("ed25519"));
  const folder = await temporaryFolder(t);
  const ledger = await Ledger.open({ dir: join(folder, "ledger"), origin, signers });
  t.after(() => ledger.close());
  for (let index = 0; index < 700; index += 1) ledger.append(utf8(`entry ${index}`));
  const sealed = await ledger.seal();
  const [policy, file] = [join(folder, "policy"), join(folder, "proof")];
  const checkpoint = await signCheckpoint(sealed.checkpoint, [...signers, cosigner], Math.floor(Date.now() / 1000));
  await writeFile(policy, `log ${formatVkey(signers[0]!.key)}\nwitness one ${formatVkey(cosigner.key)}\nquorum one\n`);
  for (const index of [0, 255, 256, 699]) {
    const hashes = await ledger.inclusionProof(index, 700);
    const extra = await ledger.entry(index);
    await writeFile(file, formatTlogProof({ index, hashes, checkpoint, extra }));
    await run(path, [policy, file]);
    await writeFile(file, formatTlogProof({ index, hashes, checkpoint, extra: utf8("another") }));
    await assert.rejects(run(path, [policy, file]), /./);
    await writeFile(file, formatTlogProof({ index, hashes, checkpoint: sealed.note, extra }));
    await assert.rejects(run(path, [policy, file]), /policy|verif/i);
  }
});
