import { lstat, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type ModelReport, readPlainFile, verifyModel } from "@tally/oci";
import { type KeylessTrustFlags, readKeylessTrust, withKeylessTrust } from "../../keys/index.ts";
import { withJson, withPlane } from "../../options.ts";
import type { PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { checkSigners, type SignerCheck } from "../../signer-checks.ts";
import { signerWorld } from "../../signer-world.ts";
import {
  exits,
  marks,
  type ProgressMode,
  print,
  settings,
  showingProgress,
  type Terminal,
  table,
  usageError,
  withProgressOption,
} from "../../terminal/index.ts";
import { readTrustFile } from "../../trust-file.ts";
import { signatureFile, within } from "./signature-file.ts";

interface Options extends KeylessTrustFlags, PlaneFlags {
  readonly key?: string;
  readonly certificateChain?: string;
  readonly signature?: string;
  readonly progress: ProgressMode;
  readonly ignoreUnsignedFiles?: boolean;
  readonly repository?: string;
}

const largestSignature = 512 * 1024 * 1024;

/** `tally model verify DIR`: a model's files against an OpenSSF model signature. */
export const verify: Register = (program, { terminal, finish }) => {
  const command = program
    .command("verify")
    .description("verify a model's files against its OpenSSF model signature")
    .argument("<dir>", "the model's folder, or its one file")
    .option("--key <file>", "public key of who is to have signed")
    .option("--certificate-chain <file>", "certificates that are trusted, to verify a signature by certificate")
    .option(
      "--trust <file>",
      "or the trust file: anyone in it who may sign models of this repository, then; TALLY_TRUST",
    )
    .option("--repository <name>", "which repository the model is of, to judge by the trust file")
    .option("--signature <file>", `the signature; the default is DIR/${signatureFile}`)
    .option("--ignore-unsigned-files", "files that nobody signed are no fault; those that are signed must be there");
  withJson(withPlane(withKeylessTrust(withProgressOption(command)))).action(
    async (folder: string, options: Options) => {
      const { key, certificateChain, signature } = options;
      const keyless = await readKeylessTrust(terminal, options);
      const named = [key, certificateChain, keyless].some((given) => given !== undefined);
      if (named && options.trust !== undefined) {
        throw usageError("whose signature is it to be?", "give either --trust FILE or who is to have signed, not both");
      }
      const world = named ? undefined : await worldOf(terminal, options);
      const dir = resolve(terminal.cwd, folder);
      const isFolder = (await stat(dir)).isDirectory();
      const signaturePath =
        signature !== undefined ? resolve(terminal.cwd, signature) : isFolder ? join(dir, signatureFile) : `${dir}.sig`;
      const read = async (path: string) => readFile(resolve(terminal.cwd, path), "utf8");
      const bundle = await readPlainFile(signaturePath, largestSignature);
      // What lies in a folder of that name is not the signature.
      const own = (await isPlainFile(join(dir, signatureFile))) ? [signatureFile] : [];
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
          except: [...own, ...within(dir, signaturePath)],
          ignoreUnsignedFiles: options.ignoreUnsignedFiles === true,
          ...(publicKeyPem !== undefined && { publicKeyPem }),
          ...(trustedCertificatesPem && { trustedCertificatesPem }),
          ...(keyless && { keyless }),
          ...(world && { trusted: { ...world.trust, identities: world.people.standing.identities } }),
          ...(progress && { progress }),
        }),
      );
      const judged = await judge(report, world, options.repository);
      const { checks, outcome } = judged;
      print(terminal, options.json, { ...judged, ...jsonReport(report) }, () => [
        ...table(checks.map(({ name, result, message }) => [marks[result], name, message])),
        outcomes[outcome],
      ]);
      finish(exits[outcome]);
    },
  );
};

type World = Awaited<ReturnType<typeof signerWorld>>;

/** @throws CliError usage where no trust file is set either, or it is given beside something else */
async function worldOf(terminal: Terminal, options: Options): Promise<World> {
  const { trust } = await settings(terminal, options);
  if (trust.value === undefined) {
    throw usageError(
      "whose signature is it to be?",
      "give --key PUBLIC_KEY, --certificate-chain FILE, --certificate-identity NAME or --trust FILE",
    );
  }
  return signerWorld(terminal, options, await readTrustFile(terminal, options));
}

interface Judged {
  readonly outcome: ModelReport["outcome"];
  readonly checks: readonly (ModelReport["checks"][number] | SignerCheck)[];
  readonly signedBy?: string;
}

/** With a trust file: who of it has signed, and whether they may sign models of that repository, then. */
async function judge(report: ModelReport, world: World | undefined, repository: string | undefined): Promise<Judged> {
  const { outcome, checks, envelope, by } = report;
  if (world === undefined || envelope === undefined || by === undefined) return { outcome, checks };
  const signedFor = { action: "sign-model", ...(repository !== undefined && { repository }) } as const;
  const signer = await checkSigners(world, by, envelope.digest, signedFor);
  const has = (result: ModelReport["outcome"]) => [outcome, signer.outcome].includes(result);
  return {
    outcome: has("bad") ? "bad" : has("not made") ? "not made" : "good",
    checks: [...checks, ...signer.checks],
    ...(signer.by !== undefined && { signedBy: signer.by }),
  };
}

async function isPlainFile(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isFile() === true;
}

const outcomes = {
  good: "good: these are the files that were signed",
  bad: "BAD: do not use this model",
  "not made": "not proven: a check could not be made",
} as const;

function jsonReport({ signer, keyless, signature }: ModelReport): object {
  return {
    ...(signer && { signer: { keyId: signer.keyId, algorithm: signer.algorithm } }),
    ...(keyless && { identity: keyless.identity, issuer: keyless.issuer }),
    ...(signature && { model: signature.model, name: signature.name }),
  };
}
