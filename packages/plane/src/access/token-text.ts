import { createHash, randomBytes } from "node:crypto";

/** A fresh token: 256 bits that say nothing. */
export function newTokenText(): string {
  return `tly_${randomBytes(32).toString("base64url")}`;
}

/** What is stored of a token. It has full entropy, so a plain hash cannot be searched. */
export function tokenHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The token of an Authorization header: Bearer, or the password of Basic as OCI clients send it. */
export function tokenOfHeader(header: string | undefined): string | undefined {
  const [, scheme, credentials] = /^(Bearer|Basic) +([^ ]+)$/i.exec(header ?? "") ?? [];
  if (scheme === undefined || credentials === undefined) return undefined;
  if (scheme.toLowerCase() === "bearer") return credentials;
  const decoded = Buffer.from(credentials, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  return colon < 0 ? undefined : decoded.slice(colon + 1);
}
