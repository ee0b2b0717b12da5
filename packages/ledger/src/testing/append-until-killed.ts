// A process that appends to a ledger and prints what was acknowledged, until it is killed:
//
//   opening           the ledger is being opened, which recovers what the last kill left
//   committed 17      every entry up to index 17 is durable
//   sealed 18         the checkpoint over 18 entries is durable
import { writeSync } from "node:fs";
import { noteSignerFromPem } from "@tally/evidence";
import { Ledger } from "../ledger.ts";
import { sampleEntry } from "./sample-entries.ts";
import { ORIGIN } from "./test-signers.ts";

const [dir, pem] = process.argv.slice(2) as [string, string];
// Without a folder it only loads and ends, which keeps what was compiled for those that come after: one that is killed keeps nothing.
if (dir === undefined) process.exit();
const signers = [noteSignerFromPem(ORIGIN, 1, pem)];
writeSync(1, "opening\n");
const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
if (ledger.damage !== undefined) throw new Error(ledger.damage.what);
for (let round = 0; ; round += 1) {
  let last = Promise.resolve();
  const burst = 1 + ((ledger.nextIndex * 31) % 60);
  for (let i = 0; i < burst; i += 1) {
    const { index, committed } = ledger.append(sampleEntry(ledger.nextIndex));
    last = committed.then(() => void writeSync(1, `committed ${index}\n`));
    if (i % 7 === 6) await last;
  }
  await last;
  if (round % 3 === 2) writeSync(1, `sealed ${(await ledger.seal()).checkpoint.size}\n`);
}
