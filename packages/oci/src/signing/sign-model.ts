import type { X509Certificate } from "node:crypto";
import { basename, resolve } from "node:path";
import {
  type Envelope,
  encodeJson,
  encodeStatement,
  equalBytes,
  type ModelSignature,
  modelSignatureStatement,
  pae,
  parseEnvelope,
  parseModelSignature,
  payloadType,
  type Signer,
  toBase64,
} from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Progress } from "../progress.ts";
import { type FileEntry, listFiles } from "../tar/entry.ts";
import { certificateBundle, signerBundle } from "./bundle.ts";
import { certificatesFromPem } from "./certificate-chain.ts";
import { defaultIgnoredPaths, withoutIgnored } from "./ignored-paths.ts";
import { hashResources, type Serialization } from "./resources.ts";

export interface SignOptions {
  /** A folder, one file, or files with names relative to the model's root. */
  readonly files: string | readonly FileEntry[];
  /** With a P-256 or P-384 key. */
  readonly signer: Signer;
  /** What the model is called; the folder's or file's name if not given. Informational. */
  readonly name?: string;
  /** Paths within the model that are no part of it. Version control's are ignored always, and so is a Kitfile at the root. */
  readonly ignorePaths?: readonly string[];
  /** Whole files unless shards are asked for. */
  readonly serialization?: Serialization;
  /** PEM certificates, the signer's first, to sign by certificate instead of by key. */
  readonly certificateChainPem?: string;
  /** Told how the hashing comes along. */
  readonly progress?: Progress;
}

export interface SignedModel {
  /** The content of `model.sig`. */
  readonly bundle: Uint8Array;
  /** The envelope inside, as a statement. */
  readonly envelope: Envelope;
  readonly signature: ModelSignature;
}

/** Unpacking leaves the Kitfile in the ModelKit's config, so a signature must not depend on it lying in the folder. */
const kitfilePath = "Kitfile";

/**
 * Signs a model by OpenSSF Model Signing v1.0, sections 6.1 to 6.8. Throws `signature-invalid` for a model without files or
 * a key of another kind, and `archive-invalid` for links.
 */
export async function signModel(options: SignOptions): Promise<SignedModel> {
  const { signer, serialization = { method: "files" }, certificateChainPem } = options;
  const files = typeof options.files === "string" ? await listFiles(options.files) : options.files;
  const ignorePaths = [...defaultIgnoredPaths, kitfilePath, ...(options.ignorePaths ?? [])];
  const { counted } = withoutIgnored(files, ignorePaths);
  const resources = await hashResources(counted, serialization, options.progress);
  if (resources.length === 0) throw new OciError("signature-invalid", "there is no file to sign");
  if (signer.identity.algorithm !== "p-256" && signer.identity.algorithm !== "p-384") {
    throw new OciError("signature-invalid", `model signing has no ${signer.identity.algorithm} keys`, {
      hint: "sign models with a P-256 or P-384 key",
    });
  }
  const statement = modelSignatureStatement({
    name: options.name ?? (typeof options.files === "string" ? basename(resolve(options.files)) : "model"),
    resources,
    ...serialization,
    allowSymlinks: false,
    ignorePaths: [...new Set(ignorePaths)].sort(),
  });
  const payload = encodeStatement(statement);
  const sig = toBase64(await signer.sign(pae(payloadType, payload)));
  // The reference tool writes an empty key id; the specification has verifiers take no other text.
  const envelope = parseEnvelope(
    encodeJson({ payload: toBase64(payload), payloadType, signatures: [{ keyid: "", sig }] }),
  );
  const bundle =
    certificateChainPem === undefined
      ? await signerBundle(envelope, signer)
      : certificateBundle(envelope, chainFor(signer.identity.spki, certificateChainPem));
  return Object.freeze({ bundle, envelope, signature: parseModelSignature(statement) });
}

function chainFor(spki: Uint8Array, pem: string): readonly X509Certificate[] {
  const chain = certificatesFromPem(pem);
  if (!equalBytes(chain[0]!.publicKey.export({ format: "der", type: "spki" }), spki)) {
    throw new OciError("signature-invalid", "the first certificate is not for the signing key");
  }
  return chain;
}
