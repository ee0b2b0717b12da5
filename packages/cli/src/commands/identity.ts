import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  fleetDecisionType,
  type IdentityBody,
  type IdentityList,
  type JsonObject,
  parseJson,
  parseTrust,
  publicIdentityFromPem,
  publicKeyPem,
  type StatementList,
  trustedActions,
} from "@tally/evidence";
import { identityIdOf } from "../identity-id.ts";
import { collectList, withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import { timeOf } from "../question.ts";
import type { Register } from "../register.ts";
import { print, say, type Terminal, table, usageError } from "../terminal/index.ts";
import { revokeIdentity } from "./identity-revoke.ts";
import { rotateIdentity } from "./identity-rotate.ts";

interface AddOptions extends PlaneFlags {
  readonly key?: string;
  readonly certificateIdentity?: string;
  readonly certificateOidcIssuer?: string;
  readonly trustedRoot?: string;
  readonly trustRoot: string;
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
    .option(
      "--key <file>",
      "public key; or a trust file that has one of this name, as a site has it from where models come from",
    )
    .requiredOption("--may <actions>", `${trustedActions.join(", ")}; separated by commas`, collectList)
    .option(
      "--repository <patterns>",
      "repositories that it is about; * is any run of characters, and the default",
      collectList,
    );
  add
    .option(
      "--certificate-identity <name>",
      "instead of a key: an e-mail address or URI that a keyless certificate names",
    )
    .option("--certificate-oidc-issuer <url>", "who vouches for that name, exactly")
    .option("--trusted-root <file>", "the sigstore trusted root (trusted_root.json) that is believed about it")
    .option(
      "--trust-root <name>",
      "what that root is called in trust files; one that is known need not be given again",
      "sigstore",
    )
    .option("--from <time>", "signatures count from then on, by proven time")
    .option("--until <time>", "and before then");
  withJson(withPlane(add)).action(async (name: string, options: AddOptions) => {
    const { may, repository = ["*"], from, until, url, token, json } = options;
    const flags = { url, token, ...(json !== undefined && { json }) };
    const period = {
      ...(from !== undefined && { from: timeOf("--from", from) }),
      ...(until !== undefined && { until: timeOf("--until", until) }),
    };
    const unknown = may.find((action) => !trustedActions.some((known) => known === action));
    if (unknown !== undefined)
      throw usageError(`${unknown} is nothing that can be allowed`, `known: ${trustedActions.join(", ")}`);
    const body: IdentityBody = {
      name,
      ...(await whoIs(terminal, name, options)),
      may,
      repositories: repository,
      ...period,
    };
    const keyId = identityIdOf(body);
    const client = await connect(terminal, flags);
    const before = (await listed(client)).find((known) => known.keyId === keyId);
    await client.post("/api/v1/identities", body);
    print(terminal, flags.json, { name, keyId, may, repositories: repository, ...period }, () => [keyId]);
    if (before !== undefined && before.name !== name) say(terminal, `this was ${before.name}, who has it no more`);
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
        identities.map(({ keyId, name, keyless, may, repositories, revoked, ...period }) => [
          keyId,
          name,
          may.join(","),
          [
            `${repositories.join(",")}${wordsOf(period)}`,
            ...(keyless === undefined ? [] : [`keyless as ${keyless.certificateIdentity}`]),
            ...(revoked ? ["revoked"] : []),
          ].join("  "),
        ]),
      ),
    );
  });
};

/** Of a trust file only the key is taken: what its holder may say here is this plane's to decide. */
function keyInTrustFile(text: string, name: string, file: string): string {
  const known = parseTrust(Buffer.from(text)).identities;
  const [own, ...others] = known.filter((identity) => identity.name === name);
  if (own === undefined) {
    const names = [...new Set(known.map((identity) => identity.name))].sort().join(", ");
    throw usageError(`${file} has no key of ${name}`, `it has keys of: ${names}`);
  }
  if (others.length > 0) {
    throw usageError(`${file} has ${others.length + 1} keys of ${name}`, "give each as a file of its own");
  }
  return publicKeyPem(own.spki);
}

type Known = IdentityBody & { readonly keyId: string };
type Listed = Known & { readonly revoked: boolean };

async function listed(client: PlaneClient): Promise<readonly Known[]> {
  const { identities } = await client.get<IdentityList>("/api/v1/identities");
  return identities.map((identity) => ({ keyId: identityIdOf(identity), ...identity }));
}

/** What people decide about somebody's key is a statement about it, and nothing but a revocation. */
async function isRevoked(client: PlaneClient, keyId: string): Promise<boolean> {
  const query = new URLSearchParams({ subject: `sha256:${keyId}`, type: fleetDecisionType });
  return (await client.get<StatementList>(`/api/v1/statements?${query}`)).statements.length > 0;
}

/** By their key, or by whom a certificate has to name. @throws CliError usage unless it is exactly one of both */
async function whoIs(
  terminal: Terminal,
  name: string,
  { key, certificateIdentity, certificateOidcIssuer, trustedRoot, trustRoot }: AddOptions,
): Promise<Pick<IdentityBody, "key" | "keyless" | "trustedRoot">> {
  const read = (path: string) => readFile(resolve(terminal.cwd, path), "utf8");
  const isKeyless = [certificateIdentity, certificateOidcIssuer, trustedRoot].some((given) => given !== undefined);
  if ((key === undefined) === !isKeyless) {
    throw usageError(
      "who is it?",
      "give either --key PUBLIC_KEY, or --certificate-identity and --certificate-oidc-issuer",
    );
  }
  if (key !== undefined) {
    const text = await read(key);
    const pem = text.includes('"tally-trust/v1"') ? keyInTrustFile(text, name, key) : text;
    if (/PRIVATE KEY/.test(pem)) {
      throw usageError(`${key} is a private key`, "give NAME.pub.pem: the plane needs no private key");
    }
    requirePublicKey(key, pem);
    return { key: pem };
  }
  if (certificateIdentity === undefined || certificateOidcIssuer === undefined) {
    throw usageError(
      "a keyless identity is a name and who vouches for it",
      "give both --certificate-identity NAME and --certificate-oidc-issuer URL",
    );
  }
  const keyless = { certificateIdentity, certificateOidcIssuer, trustRoot };
  return { keyless, ...(trustedRoot !== undefined && { trustedRoot: rootIn(trustedRoot, await read(trustedRoot)) }) };
}

function requirePublicKey(path: string, pem: string): void {
  try {
    publicIdentityFromPem(pem);
  } catch (cause) {
    const hint = "give NAME.pub.pem, as `tally keygen` writes it";
    throw usageError(`${path} holds no public key: ${(cause as Error).message}`, hint, cause);
  }
}

/** What it holds is judged by the plane, which has sigstore's library at hand. */
function rootIn(path: string, text: string): JsonObject {
  try {
    return parseJson(text) as JsonObject;
  } catch (cause) {
    throw usageError(
      `${path} is not JSON: ${(cause as Error).message}`,
      "give the trusted_root.json of that sigstore",
      cause,
    );
  }
}

/** " from 2026-01-01T00:00:00.000Z until …", as far as there are bounds. */
function wordsOf({ from, until }: Pick<IdentityBody, "from" | "until">): string {
  const words = (name: string, ms: number | undefined) =>
    ms === undefined ? "" : ` ${name} ${new Date(ms).toISOString()}`;
  return `${words("from", from)}${words("until", until)}`;
}
