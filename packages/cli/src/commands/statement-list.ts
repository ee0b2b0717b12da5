import {
  type Digest,
  type Envelope,
  modelType,
  parseModel,
  parseRelease,
  releaseType,
  type StatementItem,
  type StatementList,
} from "@tally/evidence";
import { parseDigestOption, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { peopleKeys, type SignerCheck, type SignerReport } from "../signer-checks.ts";
import { counted, exitCodes, marks, print, say, table } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";
import { nameOfType, statementTypes } from "./statement-types.ts";
import { fetchStatement, judgeStatement } from "./statement-verify.ts";

interface Options extends PlaneFlags {
  readonly subject?: Digest;
  readonly type?: string;
  readonly signer?: string;
  readonly verify?: boolean;
}

type Judged = StatementItem & { readonly outcome: SignerReport["outcome"]; readonly why: string };

/** `tally statement list`: what the plane's log has, and with `--verify` what of it counts. */
export const listStatements: Register = (program, { terminal, finish }) => {
  const command = program
    .command("list")
    .description("list the statements of the plane's log: entry, digest, type, who signed, what it is about")
    .option("--subject <digest>", "about this artifact only", parseDigestOption)
    .option("--type <type>", "of this type only")
    .option("--signer <name>", "signed by this identity only")
    .option("--verify", "judge each as `tally statement verify` does: which still count after a key was revoked")
    .option("--trust <file>", "with --verify: the trust file; TALLY_TRUST");
  withJson(withPlane(command)).action(async (options: Options) => {
    const { subject, type, signer } = options;
    const query = new URLSearchParams();
    if (subject !== undefined) query.set("subject", subject);
    if (type !== undefined) query.set("type", statementTypes[type]?.uri ?? type);
    const client = await connect(terminal, options);
    const found = await client.get<StatementList>(`/api/v1/statements?${query}`);
    const statements = found.statements.filter(({ signedBy }) => signer === undefined || signedBy.includes(signer));
    if (options.verify !== true) {
      print(terminal, options.json, { statements }, () =>
        table(statements.map((item) => [...wordsOf(item), about(item)])),
      );
      return;
    }
    const asked = { client, trust: await readTrustFile(terminal, options) };
    const world = { ...asked, people: await peopleKeys(asked) };
    const judged: Judged[] = [];
    const rows: string[][] = [];
    for (const item of statements) {
      const envelope = await fetchStatement(client, item.digest);
      const { outcome, checks } = await judgeStatement(world, envelope);
      const why = checks.find(({ result }) => result === outcome && result !== "good")?.message ?? boundOf(checks);
      judged.push({ ...item, outcome, why });
      rows.push([marks[outcome], ...wordsOf(item), channelOf(envelope) ?? about(item), why]);
    }
    print(terminal, options.json, { statements: judged }, () => table(rows));
    const count = (outcome: Judged["outcome"]) => judged.filter((one) => one.outcome === outcome).length;
    const [bad, open] = [count("bad"), count("not made")];
    say(terminal, `${counted(judged.length, "statement")}: ${bad} do not count, ${open} not proven`);
    finish(bad > 0 ? exitCodes.verificationFailed : open > 0 ? exitCodes.notProven : exitCodes.good);
  });
};

function wordsOf({ index, digest, predicateType, signedBy }: StatementItem): string[] {
  return [String(index), digest, nameOfType(predicateType), signedBy.join(", ")];
}

function about({ subjects }: StatementItem): string {
  const [first = "", ...others] = subjects;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

/** What people call it: a release's channel, a model's repository. */
function channelOf({ statement }: Envelope): string | undefined {
  if (statement.predicateType === releaseType) return parseRelease(statement).channel;
  return statement.predicateType === modelType ? parseModel(statement).repository : undefined;
}

/** Of what counts: by what it was held against a revocation, or when it was logged. */
function boundOf(checks: readonly SignerCheck[]): string {
  const of = (name: SignerCheck["name"]) => checks.find((check) => check.name === name)?.message;
  const revocation = of("revocation");
  return (revocation?.startsWith("the key is revoked") ? revocation : of("log")) ?? "";
}
