import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  fleetDecisionType,
  type IdentityBody,
  type IdentityList,
  publicIdentityFromPem,
  type StatementList,
  trustedActions,
} from "@tally/evidence";
import { collectList, withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import { timeOf } from "../question.ts";
import type { Register } from "../register.ts";
import { print, say, table, usageError } from "../terminal/index.ts";
import { revokeIdentity } from "./identity-revoke.ts";
import { rotateIdentity } from "./identity-rotate.ts";

interface AddOptions extends PlaneFlags {
  readonly key: string;
  readonly may: readonly string[];
  readonly repository?: readonly string[];
  readonly from?: string;
  readonly until?: string;
}

/** `tally identity add|list|rotate|revoke`: whose statements the plane takes, and about what. */
export const identity: Register = (program, context) => {
  const { terminal } = context;
  const group = program
    .command("identity")
    .summary("whose signatures the plane knows")
    .description("whose signatures the plane knows, and what each may say");
  const add = group
    .command("add")
    .description("say what a key may sign from now on (for administrators); nobody else's trust file changes by it")
    .argument("<name>", "who it is; two keys of one name are one person's")
    .requiredOption("--key <file>", "public key")
    .requiredOption("--may <actions>", `${trustedActions.join(", ")}; separated by commas`, collectList)
    .option(
      "--repository <patterns>",
      "repositories that it is about; * is any run of characters, and the default",
      collectList,
    );
  add
    .option("--from <time>", "signatures count from then on, by proven time")
    .option("--until <time>", "and before then");
  withJson(withPlane(add)).action(async (name: string, options: AddOptions) => {
    const { key, may, repository = ["*"], from, until, ...flags } = options;
    const period = {
      ...(from !== undefined && { from: timeOf("--from", from) }),
      ...(until !== undefined && { until: timeOf("--until", until) }),
    };
    const unknown = may.find((action) => !trustedActions.some((known) => known === action));
    if (unknown !== undefined)
      throw usageError(`${unknown} is nothing that can be allowed`, `known: ${trustedActions.join(", ")}`);
    const pem = await readFile(resolve(terminal.cwd, key), "utf8");
    if (/PRIVATE KEY/.test(pem))
      throw usageError(`${key} is a private key`, "give NAME.pub.pem: the plane needs no private key");
    const { keyId } = publicIdentityFromPem(pem);
    const body: IdentityBody = { name, key: pem, may, repositories: repository, ...period };
    const client = await connect(terminal, flags);
    const before = (await listed(client)).find((known) => known.keyId === keyId);
    await client.post("/api/v1/identities", body);
    print(terminal, flags.json, { name, keyId, may, repositories: repository, ...period }, () => [keyId]);
    say(terminal, `${name} may ${may.join(", ") || "nothing"} for ${repository.join(", ")}${wordsOf(period)}`);
    const lost = before?.may.filter((action) => !may.includes(action)) ?? [];
    if (lost.length > 0) say(terminal, `what the key had before is gone: ${lost.join(", ")}`);
  });
  rotateIdentity(group, context);
  revokeIdentity(group, context);
  const list = group
    .command("list")
    .description("list the identities that the plane knows: key, name, what it may, for which repositories");
  withJson(withPlane(list)).action(async (flags: PlaneFlags) => {
    const client = await connect(terminal, flags);
    const identities: Listed[] = [];
    for (const one of await listed(client)) identities.push({ ...one, revoked: await isRevoked(client, one.keyId) });
    print(terminal, flags.json, { identities }, () =>
      table(
        identities.map(({ keyId, name, may, repositories, revoked, ...period }) => [
          keyId,
          name,
          may.join(","),
          `${repositories.join(",")}${wordsOf(period)}${revoked ? "  revoked" : ""}`,
        ]),
      ),
    );
  });
};

type Known = IdentityBody & { readonly keyId: string };
type Listed = Known & { readonly revoked: boolean };

async function listed(client: PlaneClient): Promise<readonly Known[]> {
  const { identities } = await client.get<IdentityList>("/api/v1/identities");
  return identities.map((identity) => ({ keyId: publicIdentityFromPem(identity.key).keyId, ...identity }));
}

/** What people decide about somebody's key is a statement about it, and nothing but a revocation. */
async function isRevoked(client: PlaneClient, keyId: string): Promise<boolean> {
  const query = new URLSearchParams({ subject: `sha256:${keyId}`, type: fleetDecisionType });
  return (await client.get<StatementList>(`/api/v1/statements?${query}`)).statements.length > 0;
}

/** " from 2026-01-01T00:00:00.000Z until …", as far as there are bounds. */
function wordsOf({ from, until }: Pick<IdentityBody, "from" | "until">): string {
  const words = (name: string, ms: number | undefined) =>
    ms === undefined ? "" : ` ${name} ${new Date(ms).toISOString()}`;
  return `${words("from", from)}${words("until", until)}`;
}
