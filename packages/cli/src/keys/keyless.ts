import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type KeylessTrust, keylessSigner, publicFulcioUrl, publicRekorUrl, readTrustedRoot } from "@tally/oci";
import { type Command, InvalidArgumentError } from "commander";
import { type Terminal, usageError } from "../terminal/index.ts";
import { type KeyFlags, readSigningKey, type SigningKey } from "./signing-key.ts";

/** `--key`, or what stands for it where signing is keyless. The names are cosign's. */
export interface SigningFlags extends Partial<KeyFlags> {
  readonly keyless?: boolean;
  readonly identityToken?: string;
  readonly fulcioUrl: string;
  readonly rekorUrl: string;
  readonly rekorVersion?: 1 | 2;
  readonly timestampServerUrl?: string;
}

/** Adds `--keyless` and where its authority and log are. */
export function withKeyless(command: Command): Command {
  return command
    .option("--keyless", "sign by a certificate of ten minutes for whom an identity token names, logged in public")
    .option("--identity-token <token|file>", "the OpenID Connect token of --keyless; SIGSTORE_ID_TOKEN")
    .option("--fulcio-url <url>", "the authority of --keyless", publicFulcioUrl)
    .option("--rekor-url <url>", "the log of --keyless", publicRekorUrl)
    .option("--rekor-version <version>", "of the log's interface, 1 or 2; 2 takes a timestamp authority", parseVersion)
    .option("--timestamp-server-url <url>", "a timestamp authority beside the log");
}

/** Opens what signs: the key of `--key`, or a keyless signer. @throws CliError usage unless it is exactly one of both */
export async function openSigningKey(terminal: Terminal, flags: SigningFlags): Promise<SigningKey> {
  const { key, keyless, passphraseFile } = flags;
  if ((key === undefined) === (keyless !== true)) throw usageError("who signs?", "give either --key FILE or --keyless");
  if (key !== undefined) return readSigningKey(terminal, { key, ...(passphraseFile && { passphraseFile }) });
  const { fulcioUrl, rekorUrl, rekorVersion, timestampServerUrl } = flags;
  if (rekorVersion === 2 && timestampServerUrl === undefined) {
    throw usageError("a log of version 2 says no time", "give --timestamp-server-url URL beside --rekor-version 2");
  }
  for (const url of [fulcioUrl, rekorUrl, timestampServerUrl ?? rekorUrl]) requirePrivate(terminal, url);
  const identityToken = await readToken(terminal, flags.identityToken);
  const options = { identityToken, fulcioUrl, rekorUrl, ...(rekorVersion !== undefined && { rekorVersion }) };
  const signer = keylessSigner({ ...options, ...(timestampServerUrl && { timestampUrl: timestampServerUrl }) });
  return { signer, others: [], [Symbol.asyncDispose]: async () => {} };
}

function parseVersion(text: string): 1 | 2 {
  if (text === "1") return 1;
  if (text === "2") return 2;
  throw new InvalidArgumentError("It is 1 or 2.");
}

async function readToken(terminal: Terminal, given: string | undefined): Promise<string> {
  const text = given ?? terminal.env.SIGSTORE_ID_TOKEN ?? "";
  if (text === "") throw usageError("no identity token was given", "give --identity-token, or set SIGSTORE_ID_TOKEN");
  const isToken = /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);
  return isToken ? text : (await readFile(resolve(terminal.cwd, text), "utf8")).trim();
}

/** Whoever sees an identity token can sign in its name. */
function requirePrivate(terminal: Terminal, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw usageError(`${text} is no URL of a service`);
  const isPrivate = url.protocol === "https:" || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (isPrivate || terminal.env.TALLY_INSECURE_HTTP === "1") return;
  throw usageError(`the identity token would travel unencrypted to ${url.origin}`, "use https");
}

/** Who is to have signed keyless. */
export interface KeylessTrustFlags {
  readonly certificateIdentity?: string;
  readonly certificateOidcIssuer?: string;
  readonly trustedRoot?: string;
}

/** Adds the flags by which a keyless signature is verified. */
export function withKeylessTrust(command: Command): Command {
  return command
    .option("--certificate-identity <name>", "who is to have signed keyless: an e-mail address or URI, exactly")
    .option("--certificate-oidc-issuer <url>", "who is to have vouched for that name, exactly")
    .option("--trusted-root <file>", "the sigstore trusted root: authorities and logs that are believed");
}

/** What the flags say, or undefined where none is given. @throws CliError usage where one of the three is missing */
export async function readKeylessTrust(
  terminal: Terminal,
  { certificateIdentity: identity, certificateOidcIssuer: issuer, trustedRoot }: KeylessTrustFlags,
): Promise<KeylessTrust | undefined> {
  if (identity === undefined && issuer === undefined && trustedRoot === undefined) return undefined;
  if (identity === undefined || issuer === undefined || trustedRoot === undefined) {
    throw usageError(
      "a keyless signature is verified by identity, issuer and trusted root together",
      "give --certificate-identity NAME, --certificate-oidc-issuer URL and --trusted-root FILE",
    );
  }
  return { identity, issuer, root: await readTrustedRoot(resolve(terminal.cwd, trustedRoot)) };
}
