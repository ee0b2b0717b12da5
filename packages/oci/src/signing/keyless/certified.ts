import type { SerializedBundle } from "@sigstore/bundle";
import type { TrustedRoot } from "@sigstore/protobuf-specs";
import { type JsonObject, type PublicIdentity, publicIdentity } from "@tally/evidence";
import { OciError } from "../../error.ts";

/** Whom the certificate of a keyless signature names, once all of sigstore's proofs hold. */
export interface Certified {
  /** The certificate's subject alternative name: an e-mail address or a URI. */
  readonly identity: string;
  /** The OpenID Connect issuer that vouched for it. */
  readonly issuer: string;
  /** The key of this one signature. */
  readonly signer: PublicIdentity;
  /** Since when the certificate held, and by when a log or a timestamp authority saw the signature. Milliseconds since 1970. */
  readonly signed: { readonly notBeforeMs: number; readonly atMs: number };
}

/** Sigstore's client, once it is loaded. */
export interface Certifier {
  /** Verifies a bundle under one trusted root. Throws `signature-invalid`. */
  certified(bundle: JsonObject, root: TrustedRoot): Certified;
  /** Reads a trusted root's JSON, or the client trust configuration that holds one. @throws Error for what is none */
  readRoot(json: JsonObject): TrustedRoot;
}

/**
 * The sigstore client's recipe: the certificate leads to a trusted authority and was logged (SCT), a trusted log holds this very
 * signature, that log or a timestamp authority says when, the certificate was valid then, and the signature is over the envelope. Who
 * signed is the caller's to judge. The libraries are loaded once asked for: they are large, and most signatures have keys.
 */
export async function certifier(): Promise<Certifier> {
  const [{ bundleFromJSON }, { toSignedEntity, toTrustMaterial, Verifier }, { TrustedRoot }] = await Promise.all([
    import("@sigstore/bundle"),
    import("@sigstore/verify"),
    import("@sigstore/protobuf-specs"),
  ]);
  function verified(json: JsonObject, root: TrustedRoot): Certified {
    const entity = toSignedEntity(bundleFromJSON(json as unknown as SerializedBundle));
    const thresholds = { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 };
    const { identity } = new Verifier(toTrustMaterial(root), thresholds).verify(entity);
    if (entity.key.$case !== "certificate") throw new Error("it has no certificate");
    const { publicKey, notBefore } = entity.key.certificate;
    const times = entity.timestamps.flatMap((seen) => {
      if (seen.$case === "timestamp-authority") return [seen.timestamp.signingTime.getTime()];
      // A log's time that it has not promised by signature was not verified, and proves nothing.
      return seen.tlogEntry.inclusionPromise ? [Number(seen.tlogEntry.integratedTime) * 1000 + 999] : [];
    });
    return Object.freeze({
      identity: identity?.subjectAlternativeName ?? "",
      issuer: identity?.extensions?.issuer ?? "",
      signer: publicIdentity(Uint8Array.from(publicKey)),
      signed: Object.freeze({ notBeforeMs: notBefore.getTime(), atMs: Math.min(...times) }),
    });
  }
  return {
    certified(json, root) {
      try {
        return verified(json, root);
      } catch (cause) {
        throw new OciError("signature-invalid", `it does not verify: ${(cause as Error).message}`, { cause });
      }
    },
    readRoot(json) {
      const root = TrustedRoot.fromJSON(json.trustedRoot ?? json);
      if (root.certificateAuthorities.length === 0) throw new Error("it names no certificate authority");
      // Keys and certificates in it are read here, and not where a signature is to blame.
      toTrustMaterial(root);
      return root;
    },
  };
}
