import { killRounds } from "../../packages/ledger/src/testing/kill-rounds.ts";
import type { Part } from "../part.ts";

const LANES = 2;

/** A ledger's process killed at random moments: what it acknowledged is there and proves. */
export const kills: Part = async ({ folder, kills, say }) => {
  const shares = Array.from({ length: LANES }, (_, lane) => Math.floor((kills + lane) / LANES));
  const tallies = await Promise.all(
    shares.map(async (share, lane) => {
      const tally = await killRounds({ folder, kills: share, seed: Date.now() + lane, checkEvery: 50 });
      say(`lane ${lane}: ${JSON.stringify(tally)}`);
      return tally;
    }),
  );
  const sum = (part: keyof (typeof tallies)[number]) => tallies.reduce((all, tally) => all + tally[part], 0);
  return {
    kills: sum("kills"),
    whileOpening: sum("whileOpening"),
    acknowledged: sum("acknowledged"),
    unacknowledged: sum("unacknowledged"),
  };
};
