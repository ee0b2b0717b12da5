import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { decodeEntry, EvidenceError, type KeySet } from "@tally/evidence";
import { type CheckReport, checkLedger, LedgerError, openForReading } from "@tally/ledger";
import { withJson } from "../options.ts";
import type { Register } from "../program.ts";
import { counted, exitCodes, print, type Terminal, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";

interface Options {
  readonly trust?: string;
  readonly json?: boolean;
}

/** `tally ledger check DIR`: every entry hashed again, or what is wrong and where. */
export const ledger: Register = (program, { terminal, finish }) => {
  const group = program.command("ledger").description("ledgers on disk");
  const check = group
    .command("check")
    .description("prove a stored ledger whole, or say what is wrong and where; reads only, also while it is in use")
    .argument("<dir>", "a ledger's folder, or the folder of a device")
    .option("--trust <file>", "verify a plane's log with the keys of the trust file");
  withJson(check).action(async (folder: string, options: Options) => {
    const dir = await ledgerFolder(resolve(terminal.cwd, folder));
    const keySet = await keySetFor(terminal, dir, options);
    if (!(await isLedger(dir)))
      throw usageError(`there is no ledger in ${dir}`, "name the folder of a device, or a ledger's own");
    const report = await checkLedger(dir, { ...(keySet && { keySet }) });
    print(terminal, options.json, report, () => lines(report));
    finish(report.ok ? exitCodes.good : exitCodes.verificationFailed);
  });
};

/** A device keeps its ledger in `journal`. */
async function ledgerFolder(dir: string): Promise<string> {
  const journal = join(dir, "journal");
  return (await stat(journal).catch(() => undefined))?.isDirectory() ? journal : dir;
}

/** A damaged ledger may lack any of its files, but not all. */
async function isLedger(dir: string): Promise<boolean> {
  const names = await readdir(dir);
  return ["log.json", "entries", "commits", "checkpoint"].some((name) => names.includes(name));
}

/** A device's ledger begins with its keys. A plane's are in the trust file. */
async function keySetFor(terminal: Terminal, dir: string, { trust }: Options): Promise<KeySet | undefined> {
  try {
    const { log } = await openForReading(dir);
    try {
      const known = trust === undefined ? undefined : (await readTrustFile(terminal, { trust })).plane;
      const keys = [...(known?.log ?? []), ...(known?.fleet ?? [])].filter(({ name }) => name === log.origin);
      if (keys.length > 0) return keys.map(({ type, publicKey }) => ({ type, publicKey }));
      const first = log.size === 0 ? undefined : decodeEntry(await log.entry(0));
      return first?.kind === "genesis" ? first.keySet : undefined;
    } finally {
      await log.close();
    }
  } catch (error) {
    // What cannot be opened is for the check to name.
    if (error instanceof LedgerError || (error instanceof EvidenceError && error.code !== "trust-invalid"))
      return undefined;
    throw error;
  }
}

function lines({
  ok,
  origin,
  size,
  signedSize,
  tornBytes,
  signaturesVerified,
  problems,
}: CheckReport): readonly string[] {
  const signed = signedSize === 0 ? "nothing is signed yet" : `${signedSize} under the newest signed checkpoint`;
  const signatures =
    signedSize === 0 ? "" : `, its signatures ${signaturesVerified ? "verified" : "not verified: no key is known"}`;
  return [
    `${origin ?? "no ledger"}`,
    `${size} entries hold, ${signed}${signatures}`,
    ...(tornBytes > 0
      ? [`${tornBytes} bytes of an interrupted write at the end: no problem, they are cut when it is opened`]
      : []),
    ...problems.map(({ where, what }) => `BAD  ${where}: ${what}`),
    ok ? "good: the ledger is whole" : `BAD: ${counted(problems.length, "problem")}`,
  ];
}
