import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { EdgeError, openDevice } from "@tally/edge";
import { verifyBundle } from "@tally/evidence";
import { checkLedger, checkMirroredLog } from "@tally/ledger";
import type { Part } from "../part.ts";
import { Stage } from "../stage.ts";

const RECORDS = 700;

/** Plane and witness killed during syncs, in turn: the next start goes on, and what was acknowledged is there and proves. */
export const plane: Part = async ({ folder, planeKills, say }) => {
  const stage = await Stage.set(folder);
  try {
    const device = await openDevice({ dir: await stage.enrolDevice("device") });
    const model = await device.declare({ grade: "declared", runtime: "soak", provider: "none" });
    let acknowledged = 0;
    let interrupted = 0;
    let recorded = 0;
    for (let round = 0; round < planeKills; round += 1) {
      await Promise.all(
        Array.from({ length: RECORDS }, (_, i) => device.record({ model, input: `${round}.${i}`, output: "out" })),
      );
      recorded += RECORDS;
      const victim = round % 3 === 2 ? stage.witness : stage.plane;
      let killed: Promise<void> | undefined;
      const turns = Math.floor(Math.random() ** 2 * 1500);
      soon(turns, () => {
        killed = victim.kill();
      });
      try {
        acknowledged = (await device.sync()).mirrored;
      } catch (error) {
        assert.ok(error instanceof EdgeError && ["unreachable", "plane-refused"].includes(error.code), String(error));
        interrupted += 1;
      }
      await (killed ?? victim.kill());
      for (const log of ["log", "fleet"]) await whole(join(folder, "plane", "logs", log), checkLedger);
      const mirrored = join(folder, "plane", "mirror", "logs");
      for (const log of await readdir(mirrored)) await whole(join(mirrored, log), checkMirroredLog);
      await victim.start();
      const held = await stage.mirroredSize(device.deviceId);
      assert.ok(held >= acknowledged, `the plane holds ${held} of ${acknowledged} acknowledged entries`);
      if (round % 6 === 5)
        say(`${round + 1} kills, ${interrupted} syncs interrupted, ${acknowledged} entries mirrored`);
    }
    const { mirrored } = await device.sync();
    assert.equal(mirrored, device.core.ledger.size);
    await device.close();
    const records = await answered(stage);
    assert.equal(records, recorded, "every record is in the answer");
    return {
      planeKills: stage.plane.kills,
      witnessKills: stage.witness.kills,
      interrupted,
      acknowledgedEntries: mirrored,
      recordsProven: records,
    };
  } finally {
    await stage.clear();
  }
};

async function whole(dir: string, check: (dir: string) => Promise<{ problems: readonly object[] }>): Promise<void> {
  const { problems } = await check(dir);
  assert.deepEqual(problems, [], dir);
}

/** Records in a verified answer about everything; asked again until the plane has sealed and had cosigned what it mirrored. */
async function answered(stage: Stage): Promise<number> {
  let problem = "";
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const bundle = await stage.get(`/api/v1/audit?from=1&to=${Date.now() + 60_000}`);
    const report = await verifyBundle({ bundle, trust: await stage.trust() });
    const bad = report.checks.filter(({ result }) => result === "bad");
    assert.deepEqual(bad, []);
    if (report.answer !== null && report.checks.every(({ result, required }) => !required || result === "good")) {
      return report.answer.recordCount;
    }
    problem = JSON.stringify(report.checks.filter(({ result, required }) => required && result !== "good"));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`the answer does not verify: ${problem}`);
}

function soon(turns: number, act: () => void): void {
  if (turns === 0) act();
  else setImmediate(() => soon(turns - 1, act));
}
