import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Option } from "commander";
import { collect, parseCount, parsePort } from "../options.ts";
import type { Register } from "../register.ts";
import { type RegistryFlags, registrySettings } from "../registry-settings.ts";
import { required, say, settings, type Terminal, usageError } from "../terminal/index.ts";
import { untilStopped } from "../until-stopped.ts";

interface Options extends RegistryFlags {
  readonly dir?: string;
  readonly name?: string;
  readonly host: string;
  readonly port: number;
  readonly witnessPolicy?: string;
  readonly insecureIgnoreWitness?: readonly string[];
  readonly insecureNoWitnesses?: boolean;
  readonly insecureSignWithoutDevices?: boolean;
  readonly init?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly insecureHttp?: boolean;
  readonly log?: boolean;
  readonly logFormat?: "json" | "text";
  readonly logLevel?: string;
  readonly rateLimit?: number;
}

/** `tally serve`: the control plane, until it is told to stop. */
export const serve: Register = (program, { terminal }) => {
  program
    .command("serve")
    .summary("start a control plane")
    .description("start a control plane; its URL is the first line of output, and SIGTERM ends it in good order")
    .option("--dir <dir>", "the plane's own folder; TALLY_DIR")
    .option(
      "--name <name>",
      "what the plane is called in every origin, such as tally.example/hospital; kept in the folder",
    )
    .option("--host <host>", "where to listen", "127.0.0.1")
    .option("--port <port>", "0 takes a free port", parsePort, 7400)
    .option(
      "--witness-policy <file>",
      "C2SP tlog-policy: who cosigns the plane's logs; a plane that has witnesses does not start without",
    )
    .option(
      "--insecure-ignore-witness <name>",
      "a witness of the policy that is known to lie or gone for good: what it knows does not count (repeatable)",
      collect,
    )
    .option("--insecure-no-witnesses", "go on without the witnesses that the plane had")
    .option("--insecure-sign-without-devices", "after a restore without witnesses: do not wait for every device's word")
    .option(
      "--registry <url>",
      "an outside registry that holds models and segments, in place of the built-in one; https://host/prefix puts them below a name; `built-in` goes back; TALLY_REGISTRY",
    )
    .option(
      "--registry-auth <file>",
      "credentials for it as `docker login` writes them; TALLY_REGISTRY_AUTH, or TALLY_REGISTRY_USERNAME and TALLY_REGISTRY_PASSWORD",
    )
    .option(
      "--registry-realm <origin>",
      "another origin that may be given them in exchange for a token, such as https://auth.example (repeatable)",
      collect,
    )
    .option("--init", "begin a new plane, though witnesses are configured")
    .option("--tls-cert <file>", "certificate chain, PEM")
    .option("--tls-key <file>", "its private key, PEM")
    .option("--insecure-http", "plain HTTP beyond this machine: tokens can be read on the way")
    .option("--log", "logs on stdout, a line each, beside the URL")
    .addOption(new Option("--log-format <format>", "of the logs; turns them on").choices(["json", "text"]))
    .addOption(new Option("--log-level <level>", "the least that is logged").choices(["info", "warn", "error"]))
    .option("--rate-limit <n>", "requests a second of one token; ten times as many at once (default: 200)", parseCount)
    .action((options: Options) => serveUntilStopped(terminal, options));
};

async function serveUntilStopped(terminal: Terminal, options: Options): Promise<void> {
  const dir = required((await settings(terminal, options)).dir);
  const { host, port, witnessPolicy, insecureIgnoreWitness, insecureNoWitnesses, init, insecureHttp } = options;
  const name = options.name ?? (await nameIn(dir));
  const tls = await readTls(terminal, options);
  const policy = witnessPolicy && (await readFile(resolve(terminal.cwd, witnessPolicy), "utf8"));
  const registry = await registrySettings(terminal, options);
  const { createLogger, startPlane } = await import("@tally/plane");
  const { log, logFormat, logLevel, rateLimit } = options;
  const logged = log === true || logFormat !== undefined || logLevel !== undefined;
  const logger = createLogger({
    ...(logFormat && { format: logFormat }),
    ...(logLevel && { level: logLevel }),
    to: terminal.stdout,
  });
  const { buildPageApart } = await import("@tally/console");
  const plane = await startPlane({
    verifyPage: buildPageApart,
    dir,
    name,
    host,
    port,
    ...(policy && { witnessPolicy: policy }),
    ...(insecureIgnoreWitness && { insecureIgnoreWitnesses: insecureIgnoreWitness }),
    ...(insecureNoWitnesses === true && { insecureNoWitnesses }),
    ...(options.insecureSignWithoutDevices === true && { insecureSignWithoutDevices: true }),
    ...(init === true && { init }),
    ...(registry && { registry }),
    ...(tls && { tls }),
    ...(insecureHttp === true && { insecureHttp }),
    ...(logged && { logger }),
    ...(rateLimit !== undefined && { requests: { perSecond: rateLimit } }),
  });
  terminal.stdout.write(`${plane.url}\n`);
  say(terminal, `plane ${name} in ${dir}; its administrator's token is in ${plane.adminTokenPath}`);
  if (plane.parts.outsideRegistry) say(terminal, `models and segments lie in ${plane.parts.outsideRegistry.url}`);
  if (policy === undefined) say(terminal, "no witness policy: times and completeness are this plane's word alone");
  await untilStopped(terminal);
  await plane.close();
}

/** A folder that has been a plane's before knows its name. */
async function nameIn(dir: string): Promise<string> {
  try {
    const { name } = JSON.parse(await readFile(join(dir, "plane.json"), "utf8")) as { name?: unknown };
    if (typeof name === "string") return name;
  } catch {}
  throw usageError("the plane has no name yet", "give --name, a URL without its scheme such as tally.example/hospital");
}

async function readTls(
  terminal: Terminal,
  { tlsCert, tlsKey }: Options,
): Promise<{ cert: Buffer; key: Buffer } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) throw usageError("--tls-cert and --tls-key go together");
  const [cert, key] = await Promise.all([tlsCert, tlsKey].map((path) => readFile(resolve(terminal.cwd, path))));
  return { cert: cert!, key: key! };
}
