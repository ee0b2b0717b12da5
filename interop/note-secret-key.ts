// The form in which Go's tools read a signing key: `PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>` (golang.org/x/mod/sumdb/note).
import { createPrivateKey } from "node:crypto";
import { formatVkey, type NoteKey } from "@tally/evidence";

/** A private key (PKCS#8 PEM, Ed25519 or ML-DSA-44) as Go's note packages read it; `key` is its public half and says name, type and id. */
export function noteSecretKey(key: NoteKey, pem: string): string {
  // `d` of an Ed25519 key (RFC 8037), `priv` of an ML-DSA one: the seed in both.
  const jwk: { d?: string; priv?: string } = createPrivateKey(pem).export({ format: "jwk" });
  const seed = Buffer.from((jwk.d ?? jwk.priv)!, "base64url");
  const id = formatVkey(key)
    .slice(key.name.length + 1)
    .split("+")[0];
  return `PRIVATE+KEY+${key.name}+${id}+${Buffer.concat([Buffer.of(key.type), seed]).toString("base64")}`;
}
