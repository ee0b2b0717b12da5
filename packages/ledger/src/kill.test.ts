import assert from "node:assert/strict";
import { test } from "node:test";
import { killRounds } from "./testing/kill-rounds.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

const KILLS = 200;
const LANES = 2;

test("killed 200 times at random moments, a ledger holds and proves all that was acknowledged", async (t) => {
  const folder = await temporaryFolder(t);
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    killRounds({ folder, kills: KILLS / LANES, seed: 42 + lane, checkEvery: 20 }),
  );
  const tallies = await Promise.all(lanes);
  const sum = (part: keyof (typeof tallies)[number]) => tallies.reduce((all, tally) => all + tally[part], 0);
  assert.equal(sum("kills"), KILLS);
  assert.ok(sum("acknowledged") > KILLS && sum("signed") > 0, JSON.stringify(tallies));
  assert.ok(sum("unacknowledged") > 0, "no kill came between writing and acknowledging");
  t.diagnostic(JSON.stringify(tallies));
});
