import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  approvalType,
  type Envelope,
  evaluationType,
  isDigest,
  modelSignatureType,
  modelType,
  parseEnvelope,
  parseModel,
  parseRelease,
  releaseType,
  splitChannel,
} from "@tally/evidence";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { checkSigner, type SignedFor, type SignerReport, type SignerWorld } from "../signer-checks.ts";
import { actionOf } from "../statement-actions.ts";
import { exits, marks, print, type Terminal, table, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";

interface Options extends PlaneFlags {
  readonly repository?: string;
}

const outcomes = {
  good: "good: its signer may say this, and could then",
  bad: "BAD: this statement does not count",
  "not made": "not proven: a check could not be made",
} as const;

/** `tally statement verify`: whose signature a statement has, and whether it counts. */
export const verifyStatement: Register = (program, { terminal, finish }) => {
  const command = program
    .command("verify")
    .description("check who signed a statement, whether they may, when it was logged, and whether the key is revoked")
    .argument("<file|digest>", "the envelope, or its digest in the plane's log")
    .option("--trust <file>", "the trust file; TALLY_TRUST")
    .option("--repository <name>", "which repository it is about, where the statement does not say so");
  withJson(withPlane(command)).action(async (what: string, options: Options) => {
    const trust = await readTrustFile(terminal, options);
    const client = await connect(terminal, options);
    const envelope = await find(terminal, client, what);
    const { predicateType } = envelope.statement;
    const { outcome, checks, by } = await judgeStatement({ client, trust }, envelope, options.repository);
    const report = { outcome, statement: envelope.digest, predicateType, ...(by && { signedBy: by }), checks };
    print(terminal, options.json, report, () => [
      ...table(checks.map(({ name, result, message }) => [marks[result], name, message])),
      outcomes[outcome],
    ]);
    finish(exits[outcome]);
  });
};

/** Whether whoever signed a statement may say that, of what it is about. @param given the repository, where it does not say so */
export function judgeStatement(world: SignerWorld, envelope: Envelope, given?: string): Promise<SignerReport> {
  const action = actionOf(envelope.statement.predicateType);
  return checkSigner(world, envelope, { action, ...repositoryOf(envelope, given) });
}

async function find(terminal: Terminal, client: PlaneClient, what: string): Promise<Envelope> {
  return isDigest(what) ? fetchStatement(client, what) : parseEnvelope(await readFile(resolve(terminal.cwd, what)));
}

/** @throws CliError where the plane sends another one */
export async function fetchStatement(client: PlaneClient, digest: string): Promise<Envelope> {
  const envelope = parseEnvelope(await client.bytes(`/api/v1/statements/${digest}`));
  if (envelope.digest !== digest) throw usageError(`the plane sent another envelope than ${digest}`);
  return envelope;
}

/** Says nothing of a model's repository: only a model statement does. */
const aboutModels: readonly string[] = [modelSignatureType, evaluationType, approvalType];

function repositoryOf({ statement }: Envelope, given: string | undefined): Pick<SignedFor, "repository"> {
  const { predicateType } = statement;
  const own =
    predicateType === modelType
      ? parseModel(statement).repository
      : predicateType === releaseType
        ? splitChannel(parseRelease(statement).channel).repository
        : undefined;
  if (own !== undefined) {
    if (given === undefined || given === own) return { repository: own };
    throw usageError(`the statement is about ${own}, not about ${given}`, "leave --repository out");
  }
  if (given !== undefined) return { repository: given };
  return aboutModels.includes(predicateType) ? {} : { repository: null };
}
