import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type NotationFormat, type NotationOptions, type NotationTrust, readRevocationLists } from "@tally/oci";
import { type Command, InvalidArgumentError } from "commander";
import { collect, parseDuration } from "../../options.ts";
import { type Terminal, usageError } from "../../terminal/index.ts";

/** What only signatures of the Notary Project have; the names are notation's. */
export interface NotationFlags {
  readonly certificateChain?: string;
  readonly signatureFormat?: NotationFormat;
  readonly expiry?: number;
  readonly timestampUrl?: string;
  readonly timestampRootCert?: string;
}

/** Adds what belongs to `--format notation`. */
export function withNotation(command: Command): Command {
  return command
    .option("--certificate-chain <file>", "for notation: certificates, the signer's first, its root last")
    .option("--signature-format <format>", "for notation: jws (if not given) or cose", parseSignatureFormat)
    .option(
      "--expiry <duration>",
      "for notation: the signature counts no longer after so long, such as 365d",
      parseDuration,
    )
    .option("--timestamp-url <url>", "for notation: an RFC 3161 authority that stamps the signature")
    .option("--timestamp-root-cert <file>", "for notation: who certifies that authority");
}

/** What the flags say of a signature. @throws CliError usage */
export async function readNotationOptions(
  terminal: Terminal,
  flags: NotationFlags,
  at: Date,
): Promise<Omit<NotationOptions, "signer">> {
  const { certificateChain, signatureFormat: format = "jws", expiry, timestampUrl, timestampRootCert } = flags;
  if (certificateChain === undefined) {
    throw usageError("notation signs by certificate", "give --certificate-chain FILE, with the signer's first");
  }
  if ((timestampUrl === undefined) !== (timestampRootCert === undefined)) {
    throw usageError(
      "a timestamp takes an authority and the root that certifies it",
      "give --timestamp-url URL and --timestamp-root-cert FILE together",
    );
  }
  const read = (path: string) => readFile(resolve(terminal.cwd, path), "utf8");
  return {
    certificateChainPem: await read(certificateChain),
    format,
    at,
    ...(expiry !== undefined && { expires: new Date(at.getTime() + expiry * 1000) }),
    ...(timestampUrl !== undefined && {
      timestamp: { url: requireUrl(timestampUrl), trustedCertificatesPem: await read(timestampRootCert!) },
    }),
  };
}

/** Which of them was given, by its flag; undefined where none was. */
export function notationFlagOf(flags: NotationFlags): string | undefined {
  const { certificateChain, signatureFormat, expiry, timestampUrl, timestampRootCert } = flags;
  const given = { certificateChain, signatureFormat, expiry, timestampUrl, timestampRootCert };
  const [name] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
  return name && `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Whom to believe about signatures of the Notary Project, beside `--certificate-chain`. */
export interface NotationTrustFlags {
  readonly signingAuthority?: string;
  readonly timestampRootCert?: string;
  readonly trustedIdentity?: readonly string[];
  readonly crl?: readonly string[];
}

/** Adds the parts of notation's trust policy. */
export function withNotationTrust(command: Command): Command {
  return command
    .option("--signing-authority <file>", "for notation: who certifies authorities that sign for others and say when")
    .option(
      "--timestamp-root-cert <file>",
      "for notation: who certifies timestamp authorities; a timestamp is then required",
    )
    .option("--trusted-identity <name>", 'for notation: "x509.subject: C=US, ST=WA, O=acme", repeatable', collect)
    .option(
      "--crl <file>",
      "for notation: revocation lists, which then have to cover each certificate; repeatable",
      collect,
    );
}

/** What the flags say. @throws OciError `signature-invalid` for a file that is no revocation list */
export async function readNotationTrust(terminal: Terminal, flags: NotationTrustFlags): Promise<NotationTrust> {
  const { signingAuthority, timestampRootCert, trustedIdentity, crl } = flags;
  const path = (file: string) => resolve(terminal.cwd, file);
  const lists = await Promise.all((crl ?? []).map(async (file) => readRevocationLists(await readFile(path(file)))));
  return {
    ...(signingAuthority !== undefined && { signingAuthoritiesPem: await readFile(path(signingAuthority), "utf8") }),
    ...(timestampRootCert !== undefined && {
      timestampAuthoritiesPem: await readFile(path(timestampRootCert), "utf8"),
    }),
    ...(trustedIdentity !== undefined && { trustedIdentities: trustedIdentity }),
    ...(crl !== undefined && { revocationLists: lists.flat() }),
  };
}

function parseSignatureFormat(text: string): NotationFormat {
  if (text === "jws" || text === "cose") return text;
  throw new InvalidArgumentError("It is jws or cose.");
}

function requireUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw usageError(`${text} is no URL of a timestamp authority`);
}
