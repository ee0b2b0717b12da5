import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type JsonObject,
  makeStatement,
  type NamedDigest,
  parseDigest,
  parseEnvelope,
  signStatement,
} from "@tally/evidence";
import { hashFiles } from "../hash-files.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../keys/index.ts";
import { collect, parseDigestOption, withJson, withPlane } from "../options.ts";
import { withForce, writeOutput } from "../output-file.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import { postEnvelope } from "../post-statement.ts";
import type { Register } from "../register.ts";
import { print, say, type Terminal, usageError } from "../terminal/index.ts";
import { listStatements } from "./statement-list.ts";
import { statementTypes as types } from "./statement-types.ts";
import { verifyStatement } from "./statement-verify.ts";

interface SignOptions extends SigningFlags {
  readonly type: string;
  readonly subject?: readonly string[];
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `tally statement sign|verify|post|list|get`: statements of any type, for what has no command of its own. */
export const statement: Register = (program, context) => {
  const { terminal } = context;
  const group = program.command("statement").description("sign, add and read statements of any type");
  const sign = group
    .command("sign")
    .description("sign a statement whose predicate is in a JSON file, such as how a model was trained")
    .argument("<predicate>", "the predicate, a JSON object")
    .requiredOption("--type <type>", `${Object.keys(types).join(", ")}, or the URI of another predicate type`)
    .requiredOption(
      "--subject <file|digest>",
      "what it is about: a file, a folder, sha256:… or name=sha256:… (repeatable)",
      collect,
    )
    .option("--key <key>", "private key of who says so")
    .requiredOption("-o, --output <file>", "where the envelope goes");
  withJson(withForce(withKeyless(withPassphrase(sign)))).action((path: string, options: SignOptions) =>
    signFile(terminal, path, options),
  );

  verifyStatement(group, context);
  const post = group
    .command("post")
    .description("add a signed statement to the plane's log")
    .argument("<file>", "the envelope");
  withJson(withPlane(post)).action(async (file: string, options: PlaneFlags) => {
    const bytes = await readFile(resolve(terminal.cwd, file));
    const { digest } = parseEnvelope(bytes);
    const client = await connect(terminal, options);
    const { index } = await postEnvelope(client, bytes);
    print(terminal, options.json, { digest, index }, () => [digest]);
    say(terminal, `entry ${index} of the plane's log`);
  });

  listStatements(group, context);
  const get = group
    .command("get")
    .description("print a statement's envelope as it was signed")
    .argument("<digest>", "digest of the envelope", parseDigestOption);
  withPlane(get).action(async (digest: string, options: PlaneFlags) => {
    const bytes = await (await connect(terminal, options)).bytes(`/api/v1/statements/${digest}`);
    if (parseEnvelope(bytes).digest !== digest) throw usageError(`the plane sent another envelope than ${digest}`);
    // Nothing is added: these bytes are what the digest names.
    terminal.stdout.write(new TextDecoder().decode(bytes));
  });
};

async function signFile(terminal: Terminal, path: string, options: SignOptions): Promise<void> {
  const { type, subject = [], output } = options;
  const known = types[type];
  if (known === undefined && !type.includes(":")) {
    throw usageError(`${type} is no type of statement`, `it is one of ${Object.keys(types).join(", ")}, or a URI`);
  }
  const predicate = readPredicate(path, await readFile(resolve(terminal.cwd, path), "utf8"));
  await using signingKey = await openSigningKey(terminal, options);
  const subjects = (await Promise.all(subject.map((text) => subjectsOf(terminal, text)))).flat();
  const made = makeStatement(subjects, known?.uri ?? type, predicate);
  known?.parse(made);
  const { bytes, digest } = await signStatement(made, signingKey.signer, ...signingKey.others);
  await writeOutput(terminal, output, bytes, options.force);
  print(terminal, options.json, { digest, subjects }, () => [digest]);
  say(terminal, `signed; \`tally statement post ${output}\` adds it to the plane's log`);
}

function readPredicate(path: string, text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (cause) {
    throw usageError(`${path} is not JSON: ${(cause as Error).message}`, undefined, cause);
  }
  throw usageError(`${path} is not a JSON object`);
}

async function subjectsOf(terminal: Terminal, text: string): Promise<readonly NamedDigest[]> {
  if (text.startsWith("sha256:")) return [{ digest: parseDigest(text) }];
  const [, name, digest] = /^([^=]+)=(sha256:.*)$/.exec(text) ?? [];
  if (name !== undefined && digest !== undefined) return [{ name, digest: parseDigest(digest) }];
  return hashFiles(resolve(terminal.cwd, text));
}
