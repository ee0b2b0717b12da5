// Logs between Tessera (github.com/transparency-dev/tessera) and Tally: Tally's witness cosigns a log that Tessera writes, and Tessera
// copies a log that Tally exported, from its tiles over HTTP.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  formatVkey,
  generatePrivateKeyPem,
  noteSignerFromPem,
  parseCheckpoint,
  utf8,
  verifyNote,
} from "@tally/evidence";
import { exportTiles, Ledger, serveWitness, Witness } from "@tally/ledger";
import { noteSecretKey } from "./note-secret-key.ts";
import { program } from "./programs.ts";
import { temporaryFolder } from "./server-process.ts";

const run = promisify(execFile);

test("Tally's witness cosigns a log of Tessera that grows, and stops one that forgot its past", async (t) => {
  const path = program(t, "tessera-oneshot");
  if (path === undefined) return;
  const folder = await temporaryFolder(t);
  const pem = generatePrivateKeyPem("ed25519");
  const log = noteSignerFromPem("log.test/tessera", 1, pem).key;
  await writeFile(join(folder, "key"), noteSecretKey(log, pem));
  const signers = [
    noteSignerFromPem("witness.test/one", 4, generatePrivateKeyPem("ed25519")),
    noteSignerFromPem("witness.test/one", 6, generatePrivateKeyPem("ml-dsa-44")),
  ];
  const witness = await Witness.open({ dir: join(folder, "witness"), signers, logs: [log] });
  const server = await serveWitness({ witness });
  t.after(async () => {
    await server.close();
    await witness.close();
  });
  const policy = join(folder, "policy");
  await writeFile(policy, `witness one ${formatVkey(signers[0]!.key)} ${server.url}\nquorum one\n`);

  const add = async (storage: string, name: string, count: number) => {
    const entries = join(folder, name);
    await mkdir(entries);
    for (let index = 0; index < count; index += 1) await writeFile(join(entries, `${index}`), `${name} ${index}`);
    const args = [
      `--storage_dir=${join(folder, storage)}`,
      `--entries=${entries}/*`,
      `--private_key=${join(folder, "key")}`,
    ];
    await run(path, [...args, `--witness_policy_file=${policy}`], { timeout: 20_000 });
    return readFile(join(folder, storage, "checkpoint"));
  };
  for (const [name, size] of [
    ["first", 3],
    ["second", 300],
  ] as const) {
    const { checkpoint, note } = parseCheckpoint(await add("log", name, size - (name === "first" ? 0 : 3)));
    assert.equal(checkpoint.size, size);
    assert.equal(verifyNote(note, [log, signers[0]!.key]).length, 2, "the log and Tally's witness signed it");
    assert.equal(witness.head("log.test/tessera")?.checkpoint.size, size);
  }
  // The same key on an empty folder: another history under the same name.
  await assert.rejects(add("forgetful", "third", 5));
  assert.equal(witness.head("log.test/tessera")?.checkpoint.size, 300);
});

/** A folder over HTTP, as any static server would do it. */
async function serveFolder(t: TestContext, folder: string): Promise<string> {
  const server = createServer((request, response) => {
    readFile(join(folder, normalize(request.url ?? "/"))).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test("Tessera copies a log that Tally exported, tile by tile, and its fsck accepts the copy", async (t) => {
  const copy = program(t, "tessera-copy");
  const fsck = copy && program(t, "tessera-fsck");
  if (copy === undefined || fsck === undefined) return;
  const folder = await temporaryFolder(t);
  const origin = "tally.test/plane/d/00112233445566778899aabbccddeeff/0";
  const signer = noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519"));
  const ledger = await Ledger.open({ dir: join(folder, "ledger"), origin, signers: [signer] });
  t.after(() => ledger.close());
  for (let index = 0; index < 5_000; index += 1) ledger.append(utf8(`entry ${index}`));
  const { note } = await ledger.seal();
  const [out, copied] = [join(folder, "tiles"), join(folder, "copy")];
  await exportTiles(ledger, note, out);
  await run(copy, [`--storage_dir=${copied}`, `--source_url=${await serveFolder(t, out)}`], { timeout: 60_000 });
  await writeFile(join(folder, "vkey"), formatVkey(signer.key));
  const args = ["--ui=false", `--storage_url=file://${copied}/`, `--public_key=${join(folder, "vkey")}`];
  const { stdout, stderr } = await run(fsck, args, { timeout: 60_000 });
  assert.match(stdout + stderr, /Successfully fsck'd log with size 5000 /);
  const files = await readdir(join(copied, "tile"), { recursive: true });
  assert.ok(files.length > 40, `${files.length} files`);
});
