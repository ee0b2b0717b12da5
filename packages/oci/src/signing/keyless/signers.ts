import type { TrustedRoot } from "@sigstore/protobuf-specs";
import {
  type Envelope,
  type JsonObject,
  type KeylessSigner,
  type KeylessSigners,
  type KeylessTrustFile,
  type KeylessVerifier,
  matchesCertificateIdentity,
  type SignedPayload,
  toBase64,
} from "@tally/evidence";
import { OciError } from "../../error.ts";
import { bundleMediaType } from "../bundle.ts";
import { type Certified, type Certifier, certifier } from "./certified.ts";

const nobody: KeylessSigners = Object.freeze({ signers: [] });

/**
 * Who of the trust file's keyless identities has signed an envelope, by the verification material that it carries. One rule of each that
 * names the signer; what they may do, and when, is the caller's to judge.
 *
 * @throws OciError `signature-invalid` where one of the trust file's roots cannot be read
 */
export async function keylessSigners(envelope: SignedPayload, trust: KeylessTrustFile): Promise<KeylessSigners> {
  if (trust.keyless.length === 0 || !isKeyless(envelope)) return nobody;
  return signersBy(await certifier(), envelope, trust);
}

/** The same as a function that does not wait, for whoever verifies many. */
export async function keylessVerifier(): Promise<KeylessVerifier> {
  const sigstore = await certifier();
  return (envelope, trust) => {
    return trust.keyless.length === 0 || !isKeyless(envelope) ? nobody : signersBy(sigstore, envelope, trust);
  };
}

/** That a sigstore trusted root can be read, before it is put into a trust file. @throws OciError `trust-invalid` */
export async function requireTrustedRoot(name: string, json: JsonObject): Promise<void> {
  readRoot(await certifier(), name, json);
}

/** Whether it carries what proves a keyless signature, or claims to. */
export function isKeyless({ signatures }: Pick<Envelope, "signatures">): boolean {
  return signatures.some(({ verificationMaterial }) => verificationMaterial !== undefined);
}

function signersBy(sigstore: Certifier, envelope: SignedPayload, trust: KeylessTrustFile): KeylessSigners {
  const { signatures } = envelope;
  if (signatures.length !== 1) return { signers: [], why: "a keyless signature stands alone in its envelope" };
  const bundle = bundleJson(envelope);
  const failed: string[] = [];
  const signers = Object.entries(trust.trustRoots).flatMap(([trustRoot, json]) => {
    const rules = trust.keyless.filter(({ keyless }) => keyless.trustRoot === trustRoot);
    if (rules.length === 0) return [];
    try {
      const made = sigstore.certified(bundle, readRoot(sigstore, trustRoot, json));
      const meant = rules.filter(({ keyless }) => names(keyless, made));
      if (meant.length === 0) failed.push(`it is signed by ${made.identity}, says ${made.issuer}`);
      return meant.map((rule) => signerOf(rule, made));
    } catch (error) {
      if (!(error instanceof OciError) || error.code !== "signature-invalid") throw error;
      failed.push(`under ${trustRoot}: ${error.message}`);
      return [];
    }
  });
  return signers.length > 0 ? { signers } : { signers, why: failed.join("; ") };
}

function names(
  { certificateIdentity, certificateOidcIssuer }: KeylessTrustFile["keyless"][number]["keyless"],
  { identity, issuer }: Certified,
): boolean {
  return certificateOidcIssuer === issuer && matchesCertificateIdentity(certificateIdentity, identity);
}

function signerOf(rule: KeylessTrustFile["keyless"][number], made: Certified): KeylessSigner {
  const { keyless: _, ...rights } = rule;
  const { algorithm, spki } = made.signer;
  const { identity, issuer, signed } = made;
  return Object.freeze({ ...rights, algorithm, spki, identity, issuer, signed });
}

/** The sigstore bundle that the envelope and its verification material make. */
function bundleJson({ payload, payloadType, signatures: [first] }: SignedPayload): JsonObject {
  const signatures = [{ sig: toBase64(first!.signature), keyid: first!.keyId }];
  return {
    mediaType: bundleMediaType,
    verificationMaterial: first!.verificationMaterial ?? {},
    dsseEnvelope: { payload: toBase64(payload), payloadType, signatures },
  };
}

const roots = new WeakMap<JsonObject, TrustedRoot>();

function readRoot(sigstore: Certifier, name: string, json: JsonObject): TrustedRoot {
  let root = roots.get(json);
  if (root === undefined) {
    try {
      root = sigstore.readRoot(json);
    } catch (cause) {
      throw new OciError("trust-invalid", `the trust root ${name} cannot be read: ${(cause as Error).message}`, {
        cause,
        hint: "put the trusted_root.json of that sigstore into the trust file",
      });
    }
    roots.set(json, root);
  }
  return root;
}
