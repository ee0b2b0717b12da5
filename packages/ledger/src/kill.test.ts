import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { noteSignerFromPem } from "@tally/evidence";
import { checkLedger } from "./check/check-ledger.ts";
import { Ledger } from "./ledger.ts";
import { sampleEntry } from "./testing/sample-entries.ts";
import { seededRandom } from "./testing/simulated-disk.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { keySetOf, ORIGIN } from "./testing/test-signers.ts";

const ROUNDS = 20;
const program = fileURLToPath(new URL("./testing/append-until-killed.ts", import.meta.url));

/** Lets the program run until it has printed `lines` lines, kills it, and gives all that it acknowledged. */
async function runAndKill(dir: string, pem: string, lines: number): Promise<{ entries: number; signed: number }> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, dir, pem], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const acknowledged = { entries: 0, signed: 0 };
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, number] = line.split(" ");
    if (what === "committed") acknowledged.entries = Number(number) + 1;
    if (what === "sealed") acknowledged.signed = Number(number);
    seen += 1;
    if (seen === lines) child.kill("SIGKILL");
  }
  await ended;
  assert.ok(seen >= lines, "the program ended by itself");
  return acknowledged;
}

test(`killed ${ROUNDS} times while appending, the ledger holds all that was acknowledged`, async (t) => {
  const dir = await temporaryFolder(t);
  const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;
  const signers = [noteSignerFromPem(ORIGIN, 1, pem)];
  const random = seededRandom(42);
  let size = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const acknowledged = await runAndKill(dir, pem, 1 + Math.floor(random() * 120));
    const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
    assert.equal(ledger.damage, undefined);
    assert.ok(ledger.size >= Math.max(size, acknowledged.entries), `${ledger.size} of ${acknowledged.entries}`);
    assert.ok((ledger.latest?.checkpoint.size ?? 0) >= acknowledged.signed);
    let index = 0;
    for await (const entry of ledger.entries(0, ledger.size)) assert.deepEqual(entry, sampleEntry(index++));
    size = ledger.size;
    await ledger.close();
    const report = await checkLedger(dir, { keySet: keySetOf(signers) });
    assert.deepEqual(report.problems, []);
    assert.equal(report.size, size);
  }
});
