import { toHex } from "../bytes.ts";
import { encodeJson, type JsonObject } from "../content/i-json.ts";
import type { JsonField } from "../content/json-field.ts";
import { sha256 } from "../digest.ts";
import type { PublicIdentity } from "../statements/public-identity.ts";
import type { SignedPayload } from "../statements/verify.ts";
import { matchesRepository } from "./repository-pattern.ts";
import type { TrustedIdentity } from "./trusted-identity.ts";

/** Whom a short-lived certificate of sigstore has to name, and by whose word. The names are cosign's. */
export interface KeylessName {
  /** The certificate's subject alternative name: an e-mail address, or a URI in whose path `*` may stand for a run of characters. */
  readonly certificateIdentity: string;
  /** The URL of the OpenID Connect issuer that vouched for it, exactly. */
  readonly certificateOidcIssuer: string;
  /** Which of the trust file's sigstore roots is believed about it. */
  readonly trustRoot: string;
}

/** Somebody who signs without a key of their own, with what they may sign, where, and when. */
export interface KeylessIdentity extends Omit<TrustedIdentity, keyof PublicIdentity> {
  /** Stands where keys have theirs: by it a revocation names this identity. */
  readonly keyId: string;
  readonly keyless: KeylessName;
}

/** Who has signed keyless: the rule that lets them, with the key of this one signature. */
export interface KeylessSigner extends TrustedIdentity {
  /** Whom the certificate names. */
  readonly identity: string;
  readonly issuer: string;
  /** Between when the signature was made, by the word of sigstore's authority and log. Milliseconds since 1970. */
  readonly signed: { readonly notBeforeMs: number; readonly atMs: number };
}

/** Who of a trust file has signed keyless, or why nobody has. */
export interface KeylessSigners {
  readonly signers: readonly KeylessSigner[];
  /** Where there is a keyless signature and no signer. */
  readonly why?: string;
}

/** What of a trust file keyless signatures are judged by. */
export interface KeylessTrustFile {
  readonly keyless: readonly KeylessIdentity[];
  readonly trustRoots: Readonly<Record<string, JsonObject>>;
}

/** Verifies keyless signatures: sigstore's libraries do, which do not run in a browser. */
export type KeylessVerifier = (envelope: SignedPayload, trust: KeylessTrustFile) => KeylessSigners;

/** The id of a keyless identity: SHA-256, lowercase hex, of its RFC 8785 form. */
export function keylessIdOf({ certificateIdentity, certificateOidcIssuer, trustRoot }: KeylessName): string {
  const name: JsonObject = { keyless: { certificateIdentity, certificateOidcIssuer, trustRoot } };
  return toHex(sha256(encodeJson(name)));
}

export function readKeylessName(field: JsonField, roots: ReadonlySet<string>): KeylessName {
  field.only("certificateIdentity", "certificateOidcIssuer", "trustRoot");
  const root = field.at("trustRoot");
  const trustRoot = root.text(255);
  if (!roots.has(trustRoot)) throw root.fail(`trustRoots has none called ${JSON.stringify(trustRoot)}`);
  return Object.freeze({
    certificateIdentity: field.at("certificateIdentity").parse(requireIdentityPattern, 2048),
    certificateOidcIssuer: field.at("certificateOidcIssuer").parse(requireIssuer, 2048),
    trustRoot,
  });
}

const uri = /^([a-z][a-z0-9+.-]*:\/\/[^/*?#\s]+)\/([^/*\s]+)\/(.*)$/;

/**
 * Refuses patterns that let in more than was meant: `*` stands in the path of a URI only, and behind its first part, which says whose
 * it is; `https://github.com/*` would be everybody on GitHub.
 */
function requireIdentityPattern(text: string): string {
  if (/[\s\p{Cc}]/u.test(text)) throw new Error("an identity has no spaces");
  if (!text.includes("*")) return text;
  const [, , owner, rest = ""] = uri.exec(text) ?? [];
  if (owner === undefined || !rest.includes("*")) {
    throw new Error("`*` stands only in the path of a URI, behind its first part: https://host/owner/…*");
  }
  if (rest.includes("**")) throw new Error("`**` is not known: one `*` stands for characters other than / and @");
  return text;
}

function requireIssuer(text: string): string {
  if (!/^https?:\/\/[^\s*]+$/.test(text)) throw new Error("expected the URL of an OpenID Connect issuer, in full");
  return text;
}

/** Whether a certificate's name is the one meant: compared whole; `*` stands for a run of characters other than `/` and `@`. */
export function matchesCertificateIdentity(pattern: string, identity: string): boolean {
  if (!pattern.includes("*")) return pattern === identity;
  if (/[\s\p{Cc}]/u.test(identity)) return false;
  const [meant, named] = [pattern, identity].map((text) => text.split(/([/@])/));
  return meant!.length === named!.length && meant!.every((part, i) => matchesRepository(part, named![i]!));
}

/** Whether one name can be meant by both patterns. */
export function overlap(a: string, b: string): boolean {
  const seen = new Set<number>();
  function meet(i: number, j: number): boolean {
    const place = i * (b.length + 1) + j;
    if (seen.has(place)) return false;
    seen.add(place);
    const [x, y] = [a[i], b[j]];
    if (x === undefined && y === undefined) return true;
    if (x === "*" && (meet(i + 1, j) || (isRun(y) && meet(i, j + 1)))) return true;
    if (y === "*" && (meet(i, j + 1) || (isRun(x) && meet(i + 1, j)))) return true;
    return x !== undefined && x === y && x !== "*" && meet(i + 1, j + 1);
  }
  return meet(0, 0);
}

function isRun(character: string | undefined): boolean {
  return character !== undefined && character !== "/" && character !== "@";
}
