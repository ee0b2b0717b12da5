import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type ModelReport, verifyModel } from "@tally/oci";
import { type KeylessTrustFlags, readKeylessTrust, withKeylessTrust } from "../../keys/index.ts";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import {
  exitCodes,
  type ProgressMode,
  print,
  showingProgress,
  table,
  usageError,
  withProgressOption,
} from "../../terminal/index.ts";
import { signatureFile, within } from "./signature-file.ts";

interface Options extends KeylessTrustFlags {
  readonly key?: string;
  readonly certificateChain?: string;
  readonly signature?: string;
  readonly progress: ProgressMode;
  readonly ignoreUnsignedFiles?: boolean;
  readonly json?: boolean;
}

const marks = { good: "good", bad: "BAD", "not made": "not made" } as const;

/** `tally model verify DIR`: a model's files against an OpenSSF model signature. */
export const verify: Register = (program, { terminal, finish }) => {
  const command = program
    .command("verify")
    .description("verify a model's files against its OpenSSF model signature")
    .argument("<dir>", "the model's folder, or its one file")
    .option("--key <file>", "public key of who is to have signed")
    .option("--certificate-chain <file>", "certificates that are trusted, to verify a signature by certificate")
    .option("--signature <file>", `the signature; the default is DIR/${signatureFile}`)
    .option("--ignore-unsigned-files", "files that nobody signed are no fault; those that are signed must be there");
  withJson(withKeylessTrust(withProgressOption(command))).action(async (folder: string, options: Options) => {
    const { key, certificateChain, signature } = options;
    const keyless = await readKeylessTrust(terminal, options);
    if (key === undefined && certificateChain === undefined && keyless === undefined) {
      throw usageError(
        "whose signature is it to be?",
        "give --key PUBLIC_KEY, --certificate-chain FILE or --certificate-identity NAME",
      );
    }
    const dir = resolve(terminal.cwd, folder);
    const isFolder = (await stat(dir)).isDirectory();
    const signaturePath =
      signature !== undefined ? resolve(terminal.cwd, signature) : isFolder ? join(dir, signatureFile) : `${dir}.sig`;
    const read = async (path: string) => readFile(resolve(terminal.cwd, path), "utf8");
    const bundle = await readFile(signaturePath);
    const publicKeyPem = key === undefined ? undefined : await read(key);
    if (publicKeyPem?.includes("PRIVATE KEY")) {
      throw usageError(
        `${key} is the private half of a key, and verifying needs the public one`,
        "give NAME.pub.pem instead of NAME.pem, and keep the private half where it is",
      );
    }
    const trustedCertificatesPem = certificateChain && (await read(certificateChain));
    const report = await showingProgress(terminal, options.progress, "hashing", (progress) =>
      verifyModel({
        bundle,
        files: dir,
        except: [signatureFile, ...within(dir, signaturePath)],
        ignoreUnsignedFiles: options.ignoreUnsignedFiles === true,
        ...(publicKeyPem !== undefined && { publicKeyPem }),
        ...(trustedCertificatesPem && { trustedCertificatesPem }),
        ...(keyless && { keyless }),
        ...(progress && { progress }),
      }),
    );
    print(terminal, options.json, jsonReport(report), () => [
      ...table(report.checks.map(({ name, result, message }) => [marks[result], name, message])),
      outcomes[report.outcome],
    ]);
    finish(exits[report.outcome]);
  });
};

const exits = { good: exitCodes.good, bad: exitCodes.verificationFailed, "not made": exitCodes.notProven } as const;
const outcomes = {
  good: "good: these are the files that were signed",
  bad: "BAD: do not use this model",
  "not made": "not proven: a check could not be made",
} as const;

function jsonReport({ outcome, checks, signer, keyless, signature }: ModelReport): unknown {
  return {
    outcome,
    checks,
    ...(signer && { signer: { keyId: signer.keyId, algorithm: signer.algorithm } }),
    ...(keyless && { identity: keyless.identity, issuer: keyless.issuer }),
    ...(signature && { model: signature.model, name: signature.name }),
  };
}
