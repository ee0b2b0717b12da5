import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { access, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Ledger } from "../ledger.ts";
import { openForReading } from "../open-for-reading.ts";
import { sampleEntries, sampleEntry } from "../testing/sample-entries.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { ORIGIN, testSigners } from "../testing/test-signers.ts";
import { exportTiles } from "./export-tiles.ts";

const signers = testSigners(ORIGIN, [1, 6]);

async function exported(t: TestContext, size: number): Promise<{ out: string; dir: string }> {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "ledger");
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  for (let from = 0; from < size; from += 4096) {
    for (const entry of sampleEntries(from, Math.min(size, from + 4096))) ledger.append(entry);
    await ledger.flush();
  }
  await ledger.seal();
  // What is not under the checkpoint is not exported.
  ledger.append(sampleEntry(size));
  await ledger.close();
  const { log, latest } = await openForReading(dir);
  const report = await exportTiles(log, latest!.note, join(folder, "tiles"));
  await log.close();
  assert.equal(report.size, size);
  return { out: join(folder, "tiles"), dir };
}

// What follows reads the folder by the text of c2sp.org/tlog-tiles and RFC 6962 alone, with nothing of ours.

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const node = (left: Uint8Array, right: Uint8Array) => sha256(Uint8Array.of(1), left, right);

/** "if N is 1234067, the path is x001/x234/067" */
function numbered(n: number): string {
  const groups: string[] = [];
  for (let rest = n; ; rest = Math.floor(rest / 1000)) {
    groups.unshift(String(rest % 1000).padStart(3, "0"));
    if (rest < 1000) break;
  }
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join("/");
}

/** Merkle Tree Hash, RFC 6962 section 2.1, over hashes of a level. */
function treeHash(hashes: Uint8Array[]): Uint8Array {
  if (hashes.length === 1) return hashes[0]!;
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return node(treeHash(hashes.slice(0, split)), treeHash(hashes.slice(split)));
}

async function readByTheSpecification(out: string) {
  const [origin, size, root] = (await readFile(join(out, "checkpoint"), "utf8")).split("\n") as [
    string,
    string,
    string,
  ];
  const leaves: Uint8Array[] = [];
  const files = new Set<string>();
  const read = async (path: string) => {
    files.add(path);
    return readFile(join(out, path));
  };
  for (let bundle = 0; bundle * 256 < Number(size); bundle += 1) {
    const width = Math.min(256, Number(size) - bundle * 256);
    const bytes = await read(`tile/entries/${numbered(bundle)}${width < 256 ? `.p/${width}` : ""}`);
    let at = 0;
    for (let i = 0; i < width; i += 1) {
      const length = bytes.readUInt16BE(at);
      leaves.push(sha256(Uint8Array.of(0), bytes.subarray(at + 2, at + 2 + length)));
      at += 2 + length;
    }
    assert.equal(at, bytes.length, "nothing follows the last entry of a bundle");
  }
  // Every level of tiles holds the roots of the full tiles below it.
  let hashes = leaves;
  for (let level = 0; hashes.length > 0; level += 1) {
    const above: Uint8Array[] = [];
    for (let tile = 0; tile * 256 < hashes.length; tile += 1) {
      const own = hashes.slice(tile * 256, tile * 256 + 256);
      const partial = own.length < 256 ? `.p/${own.length}` : "";
      assert.deepEqual(await read(`tile/${level}/${numbered(tile)}${partial}`), Buffer.concat(own));
      if (own.length === 256) above.push(treeHash(own));
    }
    hashes = above;
  }
  return { origin, size: Number(size), root, computed: Buffer.from(treeHash(leaves)).toString("base64"), files };
}

async function allFiles(folder: string): Promise<Set<string>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return new Set(
    found.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name).slice(folder.length + 1)),
  );
}

for (const size of [1, 255, 256, 257, 70_000]) {
  test(`an exported log of ${size} entries is what tlog-tiles says, by the specification's text alone`, async (t) => {
    const { out } = await exported(t, size);
    const found = await readByTheSpecification(out);
    assert.equal(found.origin, ORIGIN);
    assert.equal(found.size, size);
    assert.equal(found.computed, found.root);
    assert.deepEqual(await allFiles(out), new Set([...found.files, "checkpoint"]), "and nothing else is there");
  });
}

test("a damaged ledger and a folder that is in use are not exported", async (t) => {
  const { dir, out } = await exported(t, 300);
  const { log, latest } = await openForReading(dir);
  t.after(() => log.close());
  await assert.rejects(exportTiles(log, latest!.note, out), { code: "export-exists" });
  const entries = await readFile(join(dir, "entries"));
  entries[40]! ^= 1;
  await writeFile(join(dir, "entries"), entries);
  const damaged = `${out}-2`;
  await assert.rejects(exportTiles(log, latest!.note, damaged), { code: "damaged" });
  await assert.rejects(access(join(damaged, "checkpoint")), "a folder without a checkpoint is no log");
});
