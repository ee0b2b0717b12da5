import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type IdentityBody, type IdentityList, publicIdentityFromPem, trustedActions } from "@tally/evidence";
import { collectList, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
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
    await (await connect(terminal, flags)).post("/api/v1/identities", body);
    print(terminal, flags.json, { name, keyId, may, repositories: repository, ...period }, () => [keyId]);
    say(terminal, `${name} may ${may.join(", ") || "nothing"} for ${repository.join(", ")}${wordsOf(period)}`);
  });
  rotateIdentity(group, context);
  revokeIdentity(group, context);
  const list = group.command("list").description("list the identities that the plane knows");
  withJson(withPlane(list)).action(async (flags: PlaneFlags) => {
    const found = await (await connect(terminal, flags)).get<IdentityList>("/api/v1/identities");
    print(terminal, flags.json, found, () =>
      table(
        found.identities.map(({ name, may, repositories, ...period }) => [
          name,
          may.join(","),
          `${repositories.join(",")}${wordsOf(period)}`,
        ]),
      ),
    );
  });
};

/** " from 2026-01-01T00:00:00.000Z until …", as far as there are bounds. */
function wordsOf({ from, until }: Pick<IdentityBody, "from" | "until">): string {
  const words = (name: string, ms: number | undefined) =>
    ms === undefined ? "" : ` ${name} ${new Date(ms).toISOString()}`;
  return `${words("from", from)}${words("until", until)}`;
}
