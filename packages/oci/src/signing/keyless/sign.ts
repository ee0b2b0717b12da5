import {
  type Envelope,
  generatePrivateKeyPem,
  type JsonObject,
  publicKeyPem,
  type Signer,
  statementSignerFromPem,
} from "@tally/evidence";
import { OciError } from "../../error.ts";

export interface KeylessOptions {
  /** An OpenID Connect identity token, whose subject or e-mail address becomes the signer's name. */
  readonly identityToken: string;
  readonly fulcioUrl: string;
  readonly rekorUrl: string;
  /** Of the log's interface; 1, if not given. A log of version 2 is made of tiles and says no time. */
  readonly rekorVersion?: 1 | 2;
  /** A timestamp authority; the log's own time stands alone, if not given. A log of version 2 takes one. */
  readonly timestampUrl?: string;
}

/** The public good instance of sigstore. */
export const publicFulcioUrl = "https://fulcio.sigstore.dev";
export const publicRekorUrl = "https://rekor.sigstore.dev";

/** Milliseconds that a service may take for an answer. */
const timeout = 30_000;

/**
 * A signer for one signature, by sigstore's keyless way: a P-256 key that never leaves memory, a certificate of ten minutes for
 * whom the token names, and an entry in a transparency log. Its `sign` and `verificationMaterial` throw `signature-invalid`
 * naming the service that refused.
 */
export function keylessSigner(options: KeylessOptions): Signer {
  if (options.rekorVersion === 2 && options.timestampUrl === undefined) {
    throw new OciError("signature-invalid", "a log of version 2 says no time, and no timestamp authority was given", {
      hint: "give the URL of one beside the log's",
    });
  }
  const key = statementSignerFromPem(generatePrivateKeyPem("p-256"));
  let certificate: string | undefined;
  return {
    keyId: key.keyId,
    identity: key.identity,
    async sign(bytes) {
      const { FulcioSigner } = await import("@sigstore/sign");
      const fulcio = new FulcioSigner({
        fulcioBaseURL: options.fulcioUrl,
        timeout,
        retry: 2,
        identityProvider: { getToken: async () => options.identityToken },
        keyHolder: {
          sign: async (data) => ({
            signature: Buffer.from(await key.sign(data)),
            key: { $case: "publicKey", publicKey: publicKeyPem(key.identity.spki) },
          }),
        },
      });
      const made = await asking(options.fulcioUrl, "gave no certificate", () => fulcio.sign(Buffer.from(bytes)));
      if (made.key.$case === "x509Certificate") certificate = made.key.certificate;
      return Uint8Array.from(made.signature);
    },
    async verificationMaterial(envelope) {
      if (certificate === undefined) throw new OciError("signature-invalid", "nothing was signed that could be logged");
      return materialFor(envelope, certificate, options);
    },
  };
}

async function materialFor(envelope: Envelope, certificate: string, options: KeylessOptions): Promise<JsonObject> {
  const [{ RekorWitness, TSAWitness }, { bundleToJSON, toDSSEBundle }] = await Promise.all([
    import("@sigstore/sign"),
    import("@sigstore/bundle"),
  ]);
  const [signature, ...others] = envelope.signatures;
  if (others.length > 0) {
    throw new OciError("signature-invalid", "a keyless signature stands alone in its envelope", {
      hint: "sign with the other key apart",
    });
  }
  const sig = Buffer.from(signature!.signature);
  const payload = Buffer.from(envelope.payload);
  const { payloadType } = envelope;
  const dsseEnvelope = { payload, payloadType, signatures: [{ sig, keyid: signature!.keyId }] };
  const content = { $case: "dsseEnvelope", dsseEnvelope } as const;
  const rekor = new RekorWitness({
    rekorBaseURL: options.rekorUrl,
    majorApiVersion: options.rekorVersion ?? 1,
    timeout,
    retry: 2,
  });
  const { tlogEntries } = await asking(options.rekorUrl, "did not log it", () => rekor.testify(content, certificate));
  const { timestampUrl } = options;
  const stamped =
    timestampUrl === undefined
      ? undefined
      : await asking(timestampUrl, "gave no timestamp", () =>
          new TSAWitness({ tsaBaseURL: timestampUrl, timeout, retry: 2 }).testify(content),
        );
  const bundle = toDSSEBundle({
    artifact: payload,
    artifactType: payloadType,
    signature: sig,
    certificate: Buffer.from(derOf(certificate), "base64"),
  });
  bundle.verificationMaterial.tlogEntries = tlogEntries;
  bundle.verificationMaterial.timestampVerificationData = stamped;
  return bundleToJSON(bundle).verificationMaterial as unknown as JsonObject;
}

function derOf(pem: string): string {
  return pem.replace(/-----[^-]+-----/g, "").replace(/\s/g, "");
}

async function asking<T>(url: string, what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    const { message, cause: below } = cause as Error & { cause?: Error };
    const why = below?.message === undefined ? message : `${message}: ${below.message}`;
    const silent = hasNoAnswer(cause);
    throw new OciError(silent ? "unreachable" : "signature-invalid", `${url} ${what}: ${withoutTokens(why)}`, {
      cause,
      hint: silent ? "check the URL" : "check that the identity token is for that service and has not expired",
    });
  }
}

/** Whether a connection failed, which the library wraps several times. */
function hasNoAnswer(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === "string" && /^(E[A-Z]+|request-timeout)$/.test(code)) return true;
  return cause === undefined ? false : hasNoAnswer(cause);
}

/** The library puts a token that it cannot read into its message. */
function withoutTokens(text: string): string {
  return text.replace(/(identity token: ).*/s, "$1not shown").split("\n")[0]!;
}
