import type { X509Certificate } from "node:crypto";
import {
  type Envelope,
  EvidenceError,
  type ModelSignature,
  modelSignatureType,
  type PublicIdentity,
  parseModelSignature,
} from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Progress } from "../progress.ts";
import type { FileEntry } from "../tar/entry.ts";
import { parseModelBundle } from "./bundle.ts";
import { compareFiles } from "./compare-files.ts";
import { listModelFiles } from "./model-files.ts";
import { NotMade } from "./not-made.ts";
import { type BundleSigner, type ModelTrust, verifyBundleSignature } from "./verify-signature.ts";

export interface VerifyOptions extends ModelTrust {
  /** The content of `model.sig`. */
  readonly bundle: Uint8Array;
  /** A folder, one file, or files with names relative to the model's root, without the signature itself. */
  readonly files: string | readonly FileEntry[];
  /** Of a folder: paths that are left out, such as the signature's. */
  readonly except?: readonly string[];
  /** Takes files that are not signed for no fault. The signed ones must all be there all the same. */
  readonly ignoreUnsignedFiles?: boolean;
  /**
   * Looks at the files only where the signature holds. Whoever attaches a thousand that do not would otherwise have a model hashed a
   * thousand times.
   */
  readonly filesOfGoodOnly?: boolean;
  /** Told how the hashing comes along. */
  readonly progress?: Progress;
}

export interface ModelCheck {
  readonly name: "bundle" | "signature" | "statement" | "files";
  readonly result: "good" | "bad" | "not made";
  readonly message: string;
}

/** What came out: `good` if every check is, `bad` if one is, else `not made`. */
export interface ModelReport {
  readonly outcome: ModelCheck["result"];
  readonly checks: readonly ModelCheck[];
  /** Whose key it is that the good signature was made with. */
  readonly signer?: PublicIdentity;
  /** Of a certificate bundle, up to a trusted certificate. */
  readonly certificates?: readonly X509Certificate[];
  /** Of a keyless bundle: whom the certificate names, and who vouched for it. */
  readonly keyless?: BundleSigner["keyless"];
  /** Where a trust file was given: who of it has signed. */
  readonly by?: BundleSigner["by"];
  readonly envelope?: Envelope;
  readonly signature?: ModelSignature;
}

/**
 * Verifies a model signature by OpenSSF Model Signing v1.0, section 8: bundle, signature, statement, files. It reports and
 * does not throw for anything that the bundle or the files may hold.
 */
export async function verifyModel(options: VerifyOptions): Promise<ModelReport> {
  const checks: ModelCheck[] = [];
  async function attempt<T>(
    name: ModelCheck["name"],
    make: () => T | Promise<T>,
    say: (made: T) => string,
  ): Promise<T | undefined> {
    try {
      const made = await make();
      checks.push({ name, result: "good", message: say(made) });
      return made;
    } catch (error) {
      checks.push({ name, ...failureOf(error) });
      return undefined;
    }
  }
  const bundle = await attempt(
    "bundle",
    () => parseModelBundle(options.bundle),
    ({ material }) => `signed by ${material.kind}`,
  );
  if (bundle === undefined) return reportOf(checks);
  const signed = await attempt(
    "signature",
    () => verifyBundleSignature(bundle, bundle.envelope, options),
    signerMessage,
  );
  const signature = await attempt(
    "statement",
    () => statementOf(bundle.envelope),
    ({ resources, name }) => `${resources.length} resources of ${JSON.stringify(name)}`,
  );
  if (signature !== undefined && (signed !== undefined || options.filesOfGoodOnly !== true)) {
    await attempt(
      "files",
      async () => {
        const files =
          typeof options.files === "string"
            ? await listModelFiles(options.files, signature.allowSymlinks, options.except)
            : options.files;
        return compareFiles(signature, files, options.ignoreUnsignedFiles ?? false, options.progress);
      },
      (message) => message,
    );
  }
  return reportOf(checks, { ...signed, envelope: bundle.envelope, ...(signature === undefined ? {} : { signature }) });
}

/** @throws OciError `signature-invalid` with every failed check, unless the outcome is good */
export function requireGood(report: ModelReport): ModelReport {
  if (report.outcome === "good") return report;
  const failed = report.checks.filter((check) => check.result !== "good");
  const why = failed.map(({ name, result, message }) => `${name} ${result}: ${message}`).join("; ");
  throw new OciError("signature-invalid", `the model signature does not hold: ${why}`);
}

function statementOf(envelope: Envelope): ModelSignature {
  const { predicateType } = envelope.statement;
  if (predicateType !== modelSignatureType)
    throw bad(`it is a statement of type ${predicateType}, not ${modelSignatureType}`);
  return parseModelSignature(envelope.statement);
}

function signerMessage({ signer, certificates, keyless }: BundleSigner): string {
  if (keyless !== undefined) return `${keyless.identity}, says ${keyless.issuer}`;
  const key = `${signer.algorithm} key ${signer.keyId}`;
  return certificates === undefined
    ? key
    : `${key}, certified by ${certificates.at(-1)!.subject.replaceAll("\n", ", ")}`;
}

function failureOf(error: unknown): Pick<ModelCheck, "result" | "message"> {
  // What is to be believed cannot be read: neither the bundle nor whoever signed it is to blame.
  if (error instanceof OciError && error.code === "trust-invalid") throw error;
  if (error instanceof NotMade) return { result: "not made", message: error.message };
  if (error instanceof EvidenceError && error.code === "not-supported")
    return { result: "not made", message: error.message };
  if (error instanceof EvidenceError || error instanceof OciError) return { result: "bad", message: error.message };
  throw error;
}

function reportOf(checks: readonly ModelCheck[], found: Omit<ModelReport, "outcome" | "checks"> = {}): ModelReport {
  const has = (result: ModelCheck["result"]) => checks.some((check) => check.result === result);
  const outcome = has("bad") ? "bad" : has("not made") || checks.length < 4 ? "not made" : "good";
  return Object.freeze({ outcome, checks: Object.freeze(checks), ...found });
}

function bad(why: string): OciError {
  return new OciError("signature-invalid", why);
}
