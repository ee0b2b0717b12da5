import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { advanceRun, decodeEntry, type RunState } from "@tally/evidence";
import { openDevice } from "./device.ts";
import { EdgeError } from "./error.ts";
import { enrolledFolder, temporaryFolder } from "./testing/device-folders.ts";

const root = await temporaryFolder(after);
const child = fileURLToPath(new URL("./testing/crash-child.ts", import.meta.url));

/** Lets a device record in a process of its own, kills that after `lines` acknowledged records, and returns them. */
async function recordAndKill(dir: string, lines: number): Promise<{ index: number; ordinal: number }[]> {
  const running = spawn(process.execPath, [child, dir], { stdio: ["ignore", "pipe", "inherit"] });
  const acknowledged: { index: number; ordinal: number }[] = [];
  for await (const line of createInterface({ input: running.stdout })) {
    const [index, ordinal] = line.split(" ").map(Number);
    acknowledged.push({ index: index!, ordinal: ordinal! });
    if (acknowledged.length === lines) running.kill("SIGKILL");
  }
  return acknowledged;
}

test("what was acknowledged before a kill is there, and ordinals stay contiguous across it", async () => {
  const dir = await enrolledFolder(join(root, "killed"));
  const kills = [70, 1, 133];
  const acknowledged = [];
  for (const lines of kills) acknowledged.push(...(await recordAndKill(dir, lines)));
  const device = await openDevice({ dir });
  const { ledger } = device.core;
  let state: RunState | undefined;
  let runs = 0;
  for await (const bytes of ledger.entries(0, ledger.size)) {
    const entry = decodeEntry(bytes);
    if (entry.kind === "restart") {
      runs += 1;
      assert.equal(entry.clean, runs === 1);
    }
    state = advanceRun(state, entry);
  }
  assert.equal(runs, kills.length + 1);
  for (const { index, ordinal } of acknowledged) {
    const entry = decodeEntry(await ledger.entry(index));
    assert.ok(entry.kind === "inference");
    assert.equal(entry.ordinal, ordinal);
    assert.ok((await device.core.salts.read(entry.input.slot)) !== undefined, "the salt of a durable entry is gone");
  }
  await device.close();
});

test("two processes cannot open one device, and a killed one does not keep it locked", async () => {
  const dir = await enrolledFolder(join(root, "two"));
  const running = spawn(process.execPath, [child, dir], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => running.stdout.once("data", resolve));
  await assert.rejects(openDevice({ dir }), (error) => error instanceof EdgeError && error.code === "device-locked");
  running.kill("SIGKILL");
  await new Promise((resolve) => running.once("exit", resolve));
  const device = await openDevice({ dir });
  await device.close();
});
