// Other people's checker on our logs: fsck of Tessera (github.com/transparency-dev/tessera), which hashes every entry of a tlog-tiles
// log again and compares every tile and the checkpoint.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { formatVkey, generatePrivateKeyPem, noteSignerFromPem, utf8 } from "@tally/evidence";
import { exportTiles, Ledger } from "@tally/ledger";
import { program } from "./programs.ts";

const ORIGIN = "tally.test/plane/d/00112233445566778899aabbccddeeff/0";

/** A ledger with both of a device's signatures, exported, and its Ed25519 key as a note verifier key. */
async function exported(t: TestContext, size: number): Promise<{ out: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), "tally-interop-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const signers = [
    noteSignerFromPem(ORIGIN, 1, generatePrivateKeyPem("ed25519")),
    noteSignerFromPem(ORIGIN, 6, generatePrivateKeyPem("ml-dsa-44")),
  ];
  const ledger = await Ledger.open({ dir: join(folder, "ledger"), origin: ORIGIN, signers });
  for (let index = 0; index < size; index += 1) {
    const { committed } = ledger.append(utf8(`entry ${index}`));
    if (index % 4096 === 4095) await committed;
  }
  const { note } = await ledger.seal();
  await exportTiles(ledger, note, join(folder, "tiles"));
  await ledger.close();
  const key = join(folder, "key.vkey");
  await writeFile(key, formatVkey(signers[0]!.key));
  return { out: join(folder, "tiles"), key };
}

/** What fsck says. Of some changed tiles v1.0.4 says nothing at all and does not end, so it is ended: it is its words that count. */
function run(fsck: string, out: string, key: string): Promise<string> {
  const args = ["--ui=false", `--storage_url=${pathToFileURL(out).href}/`, `--public_key=${key}`];
  return new Promise((resolve) => {
    execFile(fsck, args, { timeout: 20_000 }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

const accepted = (size: number) => new RegExp(`Successfully fsck'd log with size ${size} `);

for (const size of [1, 256, 1000, 70_000]) {
  test(`Tessera's fsck accepts an exported ledger of ${size} entries, signed by both keys`, async (t) => {
    const fsck = program(t, "tessera-fsck");
    if (fsck === undefined) return;
    const { out, key } = await exported(t, size);
    assert.match(await run(fsck, out, key), accepted(size));
  });
}

test("Tessera's fsck refuses an exported ledger in which a byte was changed", async (t) => {
  const fsck = program(t, "tessera-fsck");
  if (fsck === undefined) return;
  const { out, key } = await exported(t, 1000);
  for (const name of ["tile/entries/001", "tile/0/002", "tile/1/000.p/3", "checkpoint"]) {
    const path = join(out, name);
    const good = await readFile(path);
    const bad = Buffer.from(good);
    bad[name === "checkpoint" ? good.indexOf("\n") + 8 : 20]! ^= 1;
    await writeFile(path, bad);
    assert.doesNotMatch(await run(fsck, out, key), accepted(1000), `${name} was changed, and fsck accepts it`);
    await writeFile(path, good);
  }
});
