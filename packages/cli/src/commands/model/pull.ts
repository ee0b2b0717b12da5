import { lstat, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type Digest,
  identitiesFor,
  isDigest,
  modelSignatureType,
  publicKeyPem,
  type TrustedIdentity,
} from "@tally/evidence";
import {
  bundleMediaType,
  type FileEntry,
  type ModelReport,
  type Progress,
  parseArtifactName,
  type RegistryClient,
  unpackModelKit,
  verifyModel,
} from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import {
  CliError,
  exitCodes,
  type ProgressMode,
  print,
  say,
  showingProgress,
  type Terminal,
  usageError,
  withProgressOption,
} from "../../terminal/index.ts";
import { readTrustFile } from "../../trust-file.ts";

interface Options extends PlaneFlags {
  readonly output: string;
  readonly key?: string;
  readonly progress: ProgressMode;
}

/** Whom the model is to be signed by: a name for people, and the key. */
interface Signer {
  readonly name: string;
  readonly pem: string;
}

const mostSignatures = 64;
const largestSignature = 64 * 1024 * 1024;

/** `tally model pull REF -o DIR`: the files of a model, if somebody who may has signed them. */
export const pull: Register = (program, { terminal }) => {
  const command = program
    .command("pull")
    .description(
      "pull a model, verify every byte and its signature, and unpack it; if anything is wrong nothing is left",
    )
    .argument("<ref>", "repository:tag or repository@sha256:…")
    .requiredOption("-o, --output <dir>", "a folder that is not there yet")
    .option("--key <file>", "public key of who is to have signed it")
    .option("--trust <file>", "or the trust file: anyone in it who may sign models of this repository; TALLY_TRUST");
  withJson(withProgressOption(withPlane(command))).action(async (ref: string, options: Options) => {
    if (isDigest(ref)) throw usageError("a digest alone does not say where it lies", `write REPOSITORY@${ref}`);
    const { repository, reference } = parseArtifactName(ref);
    const client = await connect(terminal, options);
    const signers = await signersOf(terminal, options, repository);
    const source = repositoryOf(client, repository);
    const into = resolve(terminal.cwd, options.output);
    const { digest: manifest } = await source.resolve(reference);
    const signer = await showingProgress(terminal, options.progress, "pulling", (progress) =>
      unpackVerified(source, manifest, into, signers, progress),
    );
    print(terminal, options.json, { manifest, repository, folder: into, signedBy: signer.name }, () => [manifest]);
    say(terminal, `signed by ${signer.name}, unpacked to ${into}`);
  });
};

async function signersOf(terminal: Terminal, options: Options, repository: string): Promise<readonly Signer[]> {
  if (options.key !== undefined) {
    return [{ name: options.key, pem: await readFile(resolve(terminal.cwd, options.key), "utf8") }];
  }
  const trust = await readTrustFile(terminal, options);
  const able = identitiesFor(trust, { action: "sign-model", repository, atMs: Date.now() });
  if (able.length > 0) return able.map(({ name, spki }: TrustedIdentity) => ({ name, pem: publicKeyPem(spki) }));
  throw new CliError(exitCodes.denied, `nobody in the trust file may sign models of ${repository}`, {
    hint: "give --key PUBLIC_KEY, or another trust file",
  });
}

/** The folder gets its name only when the signature holds. What a broken connection left is gone on with the next time. */
async function unpackVerified(
  source: RegistryClient,
  manifest: Digest,
  into: string,
  signers: readonly Signer[],
  progress: Progress | undefined,
): Promise<Signer> {
  if (await lstat(into).catch(() => undefined))
    throw usageError(`${into} is there already`, "name a folder that is not");
  let signer: Signer | undefined;
  await unpackModelKit({
    source,
    reference: manifest,
    into,
    accept: async (files) => {
      signer = await verifiedBy(source, manifest, files, signers);
    },
    ...(progress && { progress }),
  });
  return signer!;
}

async function verifiedBy(
  source: RegistryClient,
  manifest: Digest,
  files: readonly FileEntry[],
  signers: readonly Signer[],
): Promise<Signer> {
  let reason = "no signature is attached to it";
  let seen = 0;
  for await (const { digest, annotations } of source.referrers(manifest, bundleMediaType)) {
    // Other statements hang there too, however many. Who lies in an annotation hides only their own.
    const type = annotations?.["dev.sigstore.bundle.predicateType"];
    if (type !== undefined && type !== modelSignatureType) continue;
    if (++seen > mostSignatures) break;
    const bundle = await attachedBundle(source, digest);
    for (const signer of signers) {
      const report = await verifyModel({ bundle, files, publicKeyPem: signer.pem });
      if (report.outcome === "good") return signer;
      reason = whyNot(report);
    }
  }
  throw new CliError(exitCodes.verificationFailed, `${manifest} is not unpacked: ${reason}`, {
    hint: `accepted are signatures by ${signers.map(({ name }) => name).join(", ")}`,
  });
}

async function attachedBundle(source: RegistryClient, digest: string): Promise<Uint8Array> {
  const { manifest } = await source.resolve(digest);
  const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
  if (layer === undefined || layer.size > largestSignature) return new Uint8Array();
  return Buffer.concat(await Array.fromAsync(source.blob(layer)));
}

function whyNot({ checks }: ModelReport): string {
  const failed = checks.find(({ result }) => result !== "good");
  return failed === undefined ? "no check was made" : `${failed.name}: ${failed.message}`;
}
