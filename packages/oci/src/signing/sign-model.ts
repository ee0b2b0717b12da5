import type { X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import {
  type Envelope,
  equalBytes,
  type ModelSignature,
  modelSignatureStatement,
  parseModelSignature,
  type SignatureDialect,
  type Signer,
} from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Progress } from "../progress.ts";
import type { FileEntry } from "../tar/entry.ts";
import { certificateBundle, parseModelBundle, signerBundle, signForBundle } from "./bundle.ts";
import { certificatesFromPem } from "./certificate-chain.ts";
import { defaultIgnoredPaths, withoutIgnored } from "./ignored-paths.ts";
import { listModelFiles } from "./model-files.ts";
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
  /** Links stand for what they lead to, and the signature says so. Refused otherwise. */
  readonly allowSymlinks?: boolean;
  /** Whole files unless shards are asked for. */
  readonly serialization?: Serialization;
  /**
   * For verifiers that know only the reference tool's spelling; the specification's, if not given. That tool also calls the one
   * file of a model that is no folder `.`, where the specification has it called by its name.
   */
  readonly dialect?: SignatureDialect;
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
 * Signs a model by OpenSSF Model Signing v1.0, sections 6.1 to 6.8. Throws `not-found` for a model without files, `signature-invalid`
 * for a key of another kind, and `archive-invalid` for links, unless they are allowed.
 */
export async function signModel(options: SignOptions): Promise<SignedModel> {
  const { signer, serialization = { method: "files" }, certificateChainPem, allowSymlinks = false } = options;
  const files = typeof options.files === "string" ? await listModelFiles(options.files, allowSymlinks) : options.files;
  const ignorePaths = [...defaultIgnoredPaths, kitfilePath, ...(options.ignorePaths ?? [])];
  const { counted } = withoutIgnored(files, ignorePaths);
  const named = options.dialect === "model_signing" ? await asReferenceNames(options.files, counted) : counted;
  const resources = await hashResources(named, serialization, options.progress);
  if (resources.length === 0) throw noFile(options.files);
  if (signer.identity.algorithm !== "p-256" && signer.identity.algorithm !== "p-384") {
    throw new OciError("signature-invalid", `model signing has no ${signer.identity.algorithm} keys`, {
      hint: "sign models with a P-256 or P-384 key",
    });
  }
  const statement = modelSignatureStatement(
    {
      name: options.name ?? (typeof options.files === "string" ? basename(resolve(options.files)) : "model"),
      resources,
      ...serialization,
      allowSymlinks,
      ignorePaths: [...new Set(ignorePaths)].sort(),
    },
    options.dialect,
  );
  const envelope = await signForBundle(statement, signer);
  const bundle =
    certificateChainPem === undefined
      ? await signerBundle(envelope, signer)
      : certificateBundle(envelope, chainFor(signer.identity.spki, certificateChainPem));
  return Object.freeze({
    bundle,
    envelope: parseModelBundle(bundle).envelope,
    signature: parseModelSignature(statement),
  });
}

async function asReferenceNames(
  files: SignOptions["files"],
  counted: readonly FileEntry[],
): Promise<readonly FileEntry[]> {
  const isOneFile = typeof files === "string" && (await stat(files)).isFile();
  return isOneFile ? counted.map((file) => ({ ...file, name: "." })) : counted;
}

function chainFor(spki: Uint8Array, pem: string): readonly X509Certificate[] {
  const chain = certificatesFromPem(pem);
  if (!equalBytes(chain[0]!.publicKey.export({ format: "der", type: "spki" }), spki)) {
    throw new OciError("signature-invalid", "the first certificate is not for the signing key");
  }
  return chain;
}

function noFile(files: SignOptions["files"]): OciError {
  const where = typeof files === "string" ? ` in ${files}` : "";
  return new OciError("not-found", `there is no file to sign${where}`);
}
