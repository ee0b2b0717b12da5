// C2SP tlog-mirror both ways with Tessera (github.com/transparency-dev/tessera): Tally's sync against its mirror (cmd/mtc/mirror), and its
// client (client/mirror) against Tally's mirror. No released version of the module has them, so they are found only where they were
// built by hand; docs/interop.md says how, and what came out.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  formatNote,
  formatVkey,
  generatePrivateKeyPem,
  type NoteKey,
  noteSignerFromPem,
  parseNote,
  utf8,
  verifyNote,
} from "@tally/evidence";
import { exportTiles, Ledger, syncLog } from "@tally/ledger";
import { lossyLink } from "../packages/ledger/src/testing/lossy-link.ts";
import { seededRandom } from "../packages/ledger/src/testing/simulated-disk.ts";
import { startMirror } from "../packages/ledger/src/testing/test-mirror.ts";
import { noteSecretKey } from "./note-secret-key.ts";
import { program } from "./programs.ts";
import { freePort, startServer, temporaryFolder } from "./server-process.ts";

const run = promisify(execFile);
const ORIGIN = "tally.test/plane/d/00112233445566778899aabbccddeeff/0";

interface Parts {
  readonly url: string;
  readonly ledger: Ledger;
  readonly folder: string;
  /** Where the mirror serves the log's tiles from. */
  readonly mirrored: string;
  readonly witness: NoteKey;
  readonly mirror: NoteKey;
}

async function start(t: TestContext): Promise<Parts | undefined> {
  const path = program(t, "tessera-mirror");
  if (path === undefined) return undefined;
  const folder = await temporaryFolder(t);
  const signers = [
    noteSignerFromPem(ORIGIN, 1, generatePrivateKeyPem("ed25519")),
    noteSignerFromPem(ORIGIN, 6, generatePrivateKeyPem("ml-dsa-44")),
  ];
  const cosigners = ["witness", "mirror"].map((name) => {
    const pem = generatePrivateKeyPem("ml-dsa-44");
    return { pem, key: noteSignerFromPem(`mirror.test/${name}`, 6, pem).key };
  });
  for (const { key, pem } of cosigners) await writeFile(join(folder, key.name.split("/")[1]!), noteSecretKey(key, pem));
  await writeFile(join(folder, "config"), `logs/v0\n\nvkey ${formatVkey(signers[0]!.key)}\norigin ${ORIGIN}\n`);
  await mkdir(join(folder, "storage"));
  const port = await freePort();
  await startServer(
    t,
    path,
    [
      `--listen_addr=127.0.0.1:${port}`,
      `--storage_dir=${join(folder, "storage")}`,
      `--witness_cosigner_path=${join(folder, "witness")}`,
      `--mirror_cosigner_path=${join(folder, "mirror")}`,
      `--config_path=${join(folder, "config")}`,
    ],
    { port },
  );
  const ledger = await Ledger.open({ dir: join(folder, "ledger"), origin: ORIGIN, signers });
  t.after(() => ledger.close());
  const hex = createHash("sha256").update(ORIGIN).digest("hex");
  const mirrored = join(folder, "storage", "public", "mirrors", hex);
  const [witness, mirror] = cosigners.map(({ key }) => key);
  return { url: `http://127.0.0.1:${port}`, ledger, folder, mirrored, witness: witness!, mirror: mirror! };
}

async function grow(ledger: Ledger, size: number) {
  for (let index = ledger.size; index < size; index += 1) {
    const { committed } = ledger.append(utf8(`entry ${index} ${"x".repeat(index % 300)}`));
    if (index % 4096 === 4095) await committed;
  }
  return ledger.seal();
}

test("a ledger is synced to Tessera's mirror, in steps, and both cosign what they saw and stored", async (t) => {
  const parts = await start(t);
  if (parts === undefined) return;
  const { url, ledger, folder, mirrored } = parts;
  // The last two are more than one request of 32 packages: this mirror fails where a body ends early, so they go as one stream.
  for (const size of [1, 255, 256, 700, 8_000, 16_001, 30_001, 60_300]) {
    const latest = await grow(ledger, size);
    const result = await syncLog(url, { log: ledger, latest });
    assert.equal(result.status, "mirrored", JSON.stringify(result));
    if (result.status !== "mirrored") return;
    const { text } = parseNote(latest.note);
    for (const [key, lines] of [
      [parts.witness, result.witness],
      [parts.mirror, result.mirror],
    ] as const) {
      const good = verifyNote(parseNote(formatNote(text, lines)), [key]);
      assert.equal(good.length, 1, `${key.name} did not cosign the tree of ${size}`);
    }
  }
  const out = join(folder, "tiles");
  await exportTiles(ledger, ledger.latest!.note, out);
  const files = (await readdir(out, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  assert.ok(files.length > 120);
  for (const { parentPath, name } of files) {
    if (name === "checkpoint") continue;
    const path = join(parentPath, name);
    assert.deepEqual(await readFile(join(mirrored, path.slice(out.length + 1))), await readFile(path), path);
  }
});

test("a stream of many packages to Tessera's mirror that breaks off is sent again until it is all there", async (t) => {
  const parts = await start(t);
  if (parts === undefined) return;
  const { url, ledger } = parts;
  const latest = await grow(ledger, 30_001);
  const link = await lossyLink({
    target: new URL(url),
    bytesPerSecond: 64 * 1024 * 1024,
    bytesPerDrop: 400_000,
    random: seededRandom(3),
  });
  t.after(() => link.close());
  for (let tries = 0; link.dropped < 2; tries += 1) {
    assert.ok(tries < 20);
    const done = await syncLog(link.url, { log: ledger, latest }).then(
      ({ status }) => status,
      () => "broke off",
    );
    if (done === "mirrored") break;
  }
  assert.ok(link.dropped > 0);
  assert.equal((await syncLog(url, { log: ledger, latest })).status, "mirrored");
});

test("Tessera's mirror client uploads a ledger to Tally's mirror, in steps, and gets both its cosignatures", async (t) => {
  const path = program(t, "tessera-mirror-client");
  if (path === undefined) return;
  const folder = await temporaryFolder(t);
  const signers = [
    noteSignerFromPem(ORIGIN, 1, generatePrivateKeyPem("ed25519")),
    noteSignerFromPem(ORIGIN, 6, generatePrivateKeyPem("ml-dsa-44")),
  ];
  const ledger = await Ledger.open({ dir: join(folder, "ledger"), origin: ORIGIN, signers });
  t.after(() => ledger.close());
  const keySets = new Map([[ORIGIN, signers.map(({ key: { type, publicKey } }) => ({ type, publicKey }))]]);
  const mirror = await startMirror(t, { dir: join(folder, "mirror"), keySets });
  const keys = mirror.cosigner.map(({ key }) => key);
  for (const size of [1, 255, 256, 700, 9_000, 30_001, 30_001]) {
    const { note } = size === ledger.size ? ledger.latest! : await grow(ledger, size);
    const out = await temporaryFolder(t);
    await exportTiles(ledger, note, join(out, "tiles"));
    const args = [`--tiles=${join(out, "tiles")}`, `--mirror_url=${mirror.url}`];
    const { stdout }: { stdout: string } = await run(path, args);
    const { text } = parseNote(note);
    assert.equal(verifyNote(parseNote(`${text}\n${stdout}`), keys).length, 2, `cosignatures of the tree of ${size}`);
  }
  assert.deepEqual(mirror.conflicts, []);
});
