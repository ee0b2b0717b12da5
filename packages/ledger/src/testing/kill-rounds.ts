import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashLeaf, noteSignerFromPem, verifyInclusion } from "@tally/evidence";
import { checkLedger } from "../check/check-ledger.ts";
import { Ledger } from "../ledger.ts";
import { sampleEntry } from "./sample-entries.ts";
import { seededRandom } from "./simulated-disk.ts";
import { keySetOf, ORIGIN } from "./test-signers.ts";

const flags = ["--disable-warning=ExperimentalWarning"];
const program = fileURLToPath(new URL("./append-until-killed.ts", import.meta.url));

/** What killed processes had acknowledged, and what was there. */
export interface KillTally {
  kills: number;
  /** Of them, killed while opening: in the recovery from the kill before. */
  whileOpening: number;
  /** Entries and checkpoints that were acknowledged, all of which are there. */
  acknowledged: number;
  signed: number;
  /** Entries that were there without having been acknowledged. */
  unacknowledged: number;
}

export interface KillOptions {
  /** A folder of this run alone. */
  readonly folder: string;
  readonly kills: number;
  readonly seed: number;
  /** Full checks of the folder: every so many kills, and after the last. */
  readonly checkEvery: number;
}

/**
 * Starts a process that appends, kills it (SIGKILL) at a random moment, and looks at what it left: every acknowledged entry is there, as it
 * was, and proves under a checkpoint; every acknowledged checkpoint is there. Again and again on one ledger.
 */
export async function killRounds({ folder, kills, seed, checkEvery }: KillOptions): Promise<KillTally> {
  const dir = join(folder, `ledger-${seed}`);
  const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;
  const signers = [noteSignerFromPem(ORIGIN, 1, pem)];
  const random = seededRandom(seed);
  const tally = { kills, whileOpening: 0, acknowledged: 0, signed: 0, unacknowledged: 0 };
  const cache = join(folder, `compiled-${seed}`);
  await once(
    spawn(process.execPath, [...flags, program], { env: { ...process.env, NODE_COMPILE_CACHE: cache } }),
    "exit",
  );
  let size = 0;
  for (let round = 0; round < kills; round += 1) {
    const lines = Math.floor(random() ** 2 * 80);
    const done = await runAndKill(dir, pem, cache, lines, Math.floor(random() * 40));
    if (done.entries === 0 && done.signed === 0) tally.whileOpening += 1;
    const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
    const where = `seed ${seed}, kill ${round}`;
    assert.equal(ledger.damage, undefined, where);
    assert.ok(ledger.size >= Math.max(size, done.entries), `${where}: ${ledger.size} of ${done.entries}`);
    assert.ok((ledger.latest?.checkpoint.size ?? 0) >= done.signed, where);
    let index = size;
    for await (const entry of ledger.entries(size, ledger.size)) assert.deepEqual(entry, sampleEntry(index++), where);
    tally.acknowledged += Math.max(0, done.entries - size);
    tally.unacknowledged += ledger.size - Math.max(size, done.entries);
    tally.signed = Math.max(tally.signed, done.signed);
    size = ledger.size;
    if (size > 0) await proves(ledger, size - 1, where);
    await ledger.close();
    if (round % checkEvery !== checkEvery - 1 && round !== kills - 1) continue;
    const report = await checkLedger(dir, { keySet: keySetOf(signers) });
    assert.deepEqual([report.problems, report.size], [[], size], where);
  }
  return tally;
}

async function proves(ledger: Ledger, index: number, where: string): Promise<void> {
  const { checkpoint } = await ledger.seal();
  const proof = await ledger.inclusionProof(index, checkpoint.size);
  assert.ok(index < checkpoint.size, where);
  verifyInclusion(index, checkpoint.size, hashLeaf(sampleEntry(index)), proof, checkpoint.root);
}

/** Lets the program run until it has printed `lines` lines and a little longer (`turns`), kills it, and gives all that it acknowledged. */
async function runAndKill(
  dir: string,
  pem: string,
  cache: string,
  lines: number,
  turns: number,
): Promise<{ entries: number; signed: number }> {
  const child = spawn(process.execPath, [...flags, program, dir, pem], {
    stdio: ["ignore", "pipe", "inherit"],
    // Half of what a short process costs is to compile it.
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  const ended = once(child, "exit");
  const closed = once(child.stdout, "close");
  const done = { entries: 0, signed: 0 };
  let seen = -1;
  let rest = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    const printed = (rest + text).split("\n");
    rest = printed.pop()!;
    for (const line of printed) {
      const [what, number] = line.split(" ");
      if (what === "committed") done.entries = Number(number) + 1;
      if (what === "sealed") done.signed = Number(number);
      if (seen === lines) continue;
      seen += 1;
      if (seen === lines) soon(turns, () => child.kill("SIGKILL"));
    }
  });
  const [code, signal] = await ended;
  await closed;
  assert.equal(signal, "SIGKILL", `the program ended by itself, with ${code}`);
  return done;
}

/** After so many turns of this process's event loop: a moment that nothing in the other process chooses. */
function soon(turns: number, act: () => void): void {
  if (turns === 0) act();
  else setImmediate(() => soon(turns - 1, act));
}
