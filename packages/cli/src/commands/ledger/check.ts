import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseTrust, type Trust } from "@tally/evidence";
import { checkLedger, checkMirroredLog } from "@tally/ledger";
import { type FoundLedger, findLedgers } from "../../ledger-check/find-ledgers.ts";
import { KeyFinder } from "../../ledger-check/ledger-keys.ts";
import { checkLines, isProven, type LedgerCheck } from "../../ledger-check/report-lines.ts";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { exitCodes, print, settings, type Terminal } from "../../terminal/index.ts";

interface Options {
  readonly trust?: string;
  readonly json?: boolean;
}

/** `tally ledger check FOLDER`: every entry hashed again, or what is wrong and where. */
export const check: Register = (group, { terminal, finish }) => {
  const command = group
    .command("check")
    .description("prove a stored ledger whole, or say what is wrong and where; reads only, also while it is in use")
    .argument("<folder>", "of a ledger, a device, a plane, or a mirror or one of its logs")
    .option("--trust <file>", "verify a plane's logs with the keys of the trust file; TALLY_TRUST");
  withJson(command).action(async (folder: string, options: Options) => {
    const found = await findLedgers(resolve(terminal.cwd, folder));
    const finder = await KeyFinder.of(found, await trustOf(terminal, options));
    const ledgers: LedgerCheck[] = [];
    for (const one of found) ledgers.push(await checkOne(one, finder));
    const ok = ledgers.every((ledger) => ledger.ok);
    const proven = ledgers.every(isProven);
    print(terminal, options.json, { ok, proven, ledgers }, () => checkLines(ledgers));
    finish(proven ? exitCodes.good : ok ? exitCodes.notProven : exitCodes.verificationFailed);
  });
};

async function checkOne(found: FoundLedger, finder: KeyFinder): Promise<LedgerCheck> {
  const keys = await finder.keysOf(found);
  const options = keys === undefined ? {} : { keySet: keys.keySet };
  const report = await (found.kind === "own" ? checkLedger(found.dir, options) : checkMirroredLog(found.dir, options));
  return { name: found.name, ...report, keys: keys?.source ?? null };
}

/** The trust file, if one is set. One that is set and cannot be read is an error: its keys were meant to be used. */
async function trustOf(terminal: Terminal, flags: Options): Promise<Trust | undefined> {
  const { trust } = await settings(terminal, flags.trust === undefined ? {} : { trust: flags.trust });
  return trust.value === undefined ? undefined : parseTrust(await readFile(resolve(terminal.cwd, trust.value)));
}
