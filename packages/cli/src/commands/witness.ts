import { join } from "node:path";
import { formatVkey, type NoteKey, type NoteSigner, parseVkey } from "@tally/evidence";
import { serveWitness, Witness } from "@tally/ledger";
import { collect, parsePort } from "../options.ts";
import type { Register } from "../register.ts";
import { print, required, say, settings, type Terminal, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";
import { untilStopped } from "../until-stopped.ts";
import { openWitnessKeys } from "../witness-keys.ts";

interface Options {
  readonly dir?: string;
  readonly name?: string;
  readonly host: string;
  readonly port: number;
  readonly log?: readonly string[];
  readonly trust?: string;
  readonly printKeys?: boolean;
  readonly printPolicy?: string;
  readonly json?: boolean;
}

/** `tally witness`: cosigns checkpoints of logs after checking that they only grew. */
export const witness: Register = (program, { terminal }) => {
  program
    .command("witness")
    .summary("start a witness, which cosigns logs that only grow")
    .description(
      "start a witness (C2SP tlog-witness): it cosigns a log's checkpoint after checking that the log only grew",
    )
    .option("--dir <dir>", "the witness's own folder; TALLY_DIR")
    .option("--name <name>", "what it is called in cosignatures, such as witness.example/one; kept in the folder")
    .option("--host <host>", "where to listen; put a TLS proxy before it to serve others", "127.0.0.1")
    .option("--port <port>", "0 takes a free port", parsePort, 7401)
    .option("--log <vkey>", "a log's verifier key (repeatable)", collect)
    .option("--trust <file>", "or a trust file: the logs of the plane that it names")
    .option("--print-keys", "make the keys if there are none, print the verifier keys, and exit")
    .option("--print-policy <url>", "print a witness policy that asks for this witness at the URL, and exit")
    .option("--json", "print the keys as JSON")
    .action((options: Options) => run(terminal, options));
};

async function run(terminal: Terminal, options: Options): Promise<void> {
  const { printKeys, printPolicy, host, port } = options;
  // TALLY_TRUST is for verifying; a witness takes its logs from nothing that was not meant for it.
  const dir = required((await settings(terminal, { ...(options.dir !== undefined && { dir: options.dir }) })).dir);
  const signers = await openWitnessKeys(dir, options.name);
  if (printPolicy !== undefined) return void terminal.stdout.write(policyFor(signers, printPolicy));
  if (printKeys === true) return printVkeys(terminal, signers, options.json);
  const logs = await logsOf(terminal, options);
  const service = await Witness.open({ dir: join(dir, "heads"), signers, logs });
  const server = await serveWitness({
    witness: service,
    host,
    port,
    onError: (error) => say(terminal, `error: ${String(error)}`),
  });
  terminal.stdout.write(`${server.url}\n`);
  printVkeys(terminal, signers);
  say(terminal, `witness ${signers[0]!.key.name} of ${[...new Set(logs.map(({ name }) => name))].join(", ")}`);
  await untilStopped(terminal);
  await server.close();
  await service.close();
}

async function logsOf(terminal: Terminal, { log = [], trust }: Options): Promise<readonly NoteKey[]> {
  const fromTrust = trust === undefined ? undefined : (await readTrustFile(terminal, { trust })).plane;
  const keys = [...log.map(parseVkey), ...(fromTrust?.log ?? []), ...(fromTrust?.fleet ?? [])];
  if (keys.length > 0) return keys;
  throw usageError(
    "no log is given to witness",
    "give --log VKEY for each key, or --trust FILE; `tally trust show` has the keys of a plane",
  );
}

function printVkeys(terminal: Terminal, signers: readonly NoteSigner[], json = false): void {
  const keys = signers.map(({ key }) => formatVkey(key));
  print(terminal, json, { name: signers[0]!.key.name, keys }, () => keys);
}

/** Both keys have to sign: the classical for today, the post-quantum for later. */
function policyFor(signers: readonly NoteSigner[], url: string): string {
  if (!URL.canParse(url)) throw usageError(`${url} is no URL`, "write http://127.0.0.1:7401");
  const lines = signers.map(({ key }, i) => `witness w${i + 1} ${formatVkey(key)} ${url}`);
  const names = signers.map((_, i) => `w${i + 1}`).join(" ");
  return `${lines.join("\n")}\ngroup both all ${names}\nquorum both\n`;
}
