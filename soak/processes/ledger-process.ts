// What is run under strace: node ledger-process.ts append|sync DIR PEM. Says on standard output what was acknowledged:
//
//   committed 17      every entry up to index 17 is durable
//   sealed 18         the checkpoint over 18 entries is durable
//   mirrored 600      the mirror has cosigned that it stores 600 entries
//   error …           something failed and was reported
import { writeSync } from "node:fs";
import { join } from "node:path";
import { noteSignerFromPem } from "@tally/evidence";
import { Ledger, openForReading, syncLog } from "@tally/ledger";
import { sampleEntry } from "../../packages/ledger/src/testing/sample-entries.ts";
import { keySetOf, ORIGIN } from "../../packages/ledger/src/testing/test-signers.ts";
import { serveMirror } from "../mirror-server.ts";

const [what, dir, pem] = process.argv.slice(2) as [string, string, string];
if (what === undefined) process.exit();
const signers = [noteSignerFromPem(ORIGIN, 1, pem)];
const say = (line: string) => void writeSync(1, `${line}\n`);

try {
  if (what === "append") await append();
  else await sync();
} catch (error) {
  say(`error ${(error as Error).message}`);
  process.exit(7);
}

/** Appends, seals, closes, opens again (which recovers), appends and seals. */
async function append(): Promise<void> {
  for (const counts of [[2, 260], [3]]) {
    const ledger = await Ledger.open({ dir: join(dir, "ledger"), origin: ORIGIN, signers });
    for (const count of counts) {
      let last = Promise.resolve();
      for (let i = 0; i < count; i += 1) {
        const { index, committed } = ledger.append(sampleEntry(ledger.nextIndex));
        last = committed.then(() => say(`committed ${index}`));
      }
      await last;
      say(`sealed ${(await ledger.seal()).checkpoint.size}`);
    }
    await ledger.close();
  }
}

/** Brings the ledger of the folder to a mirror in this process, over HTTP. */
async function sync(): Promise<void> {
  const mirror = await serveMirror(join(dir, "mirror"), ORIGIN, keySetOf(signers));
  const { log, latest } = await openForReading(join(dir, "ledger"));
  const result = await syncLog(mirror.url, { log, latest: latest!, timeout: 5_000 });
  if (result.status === "mirrored") say(`mirrored ${result.size}`);
  else throw new Error(JSON.stringify(result));
  await log.close();
  await mirror.close();
}
