import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type IdentityBody, type IdentityList, publicIdentityFromPem, trustedActions } from "@tally/evidence";
import { collectList, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { print, say, table, usageError } from "../terminal/index.ts";
import { revokeIdentity } from "./identity-revoke.ts";

interface AddOptions extends PlaneFlags {
  readonly key: string;
  readonly may: readonly string[];
  readonly repository?: readonly string[];
}

/** `tally identity add|list|revoke`: whose statements the plane takes, and about what. */
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
  withJson(withPlane(add)).action(async (name: string, { key, may, repository = ["*"], ...flags }: AddOptions) => {
    const unknown = may.find((action) => !trustedActions.some((known) => known === action));
    if (unknown !== undefined)
      throw usageError(`${unknown} is nothing that can be allowed`, `known: ${trustedActions.join(", ")}`);
    const pem = await readFile(resolve(terminal.cwd, key), "utf8");
    if (/PRIVATE KEY/.test(pem))
      throw usageError(`${key} is a private key`, "give NAME.pub.pem: the plane needs no private key");
    const { keyId } = publicIdentityFromPem(pem);
    const body: IdentityBody = { name, key: pem, may, repositories: repository };
    await (await connect(terminal, flags)).post("/api/v1/identities", body);
    print(terminal, flags.json, { name, keyId, may, repositories: repository }, () => [keyId]);
    say(terminal, `${name} may ${may.join(", ") || "nothing"} for ${repository.join(", ")}`);
  });
  revokeIdentity(group, context);
  const list = group.command("list").description("list the identities that the plane knows");
  withJson(withPlane(list)).action(async (flags: PlaneFlags) => {
    const found = await (await connect(terminal, flags)).get<IdentityList>("/api/v1/identities");
    print(terminal, flags.json, found, () =>
      table(found.identities.map(({ name, may, repositories }) => [name, may.join(","), repositories.join(",")])),
    );
  });
};
