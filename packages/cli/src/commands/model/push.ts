import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  type Digest,
  modelStatement,
  type NamedFile,
  parseDigest,
  publicKeyPem,
  type StatementResponse,
} from "@tally/evidence";
import {
  type ArtifactSource,
  attach,
  copyArtifact,
  ImageLayout,
  type ModelReport,
  parseArtifactName,
  unpackModelKit,
  verifyModel,
} from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { hashFiles } from "../../hash-files.ts";
import { type KeyFlags, readSigningKey, withPassphrase } from "../../keys/index.ts";
import { parseDigestOption, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import { postEnvelope, signAndPost } from "../../post-statement.ts";
import type { Register } from "../../register.ts";
import { CliError, counted, exitCodes, print, say, usageError } from "../../terminal/index.ts";

interface Options extends PlaneFlags, KeyFlags {
  readonly signature: string;
  readonly signer?: string;
  readonly tag: string;
  readonly base?: Digest;
}

/** `tally model push LAYOUT REF`: the model, its signature as a referrer, and the statements that make it known. */
export const push: Register = (program, { terminal }) => {
  const command = program
    .command("push")
    .description(
      "push a packed model, attach its signature, and state which files it is; the plane then knows it as a model",
    )
    .argument("<layout>", "the image layout that `model pack` made")
    .argument("<ref>", "repository:tag in the plane's registry")
    .requiredOption("--signature <file>", "the model signature that `model sign` made")
    .requiredOption("--key <key>", "private key of who publishes it")
    .option("--signer <file>", "public key of who signed the model, where that is somebody else")
    .option("--tag <tag>", "its tag in the layout", "latest")
    .option("--base <digest>", "manifest of the model that it was made from", parseDigestOption);
  withJson(withPlane(withPassphrase(command))).action(async (layout: string, ref: string, options: Options) => {
    const { repository, reference } = parseArtifactName(ref);
    if (reference.includes(":"))
      throw usageError(`${ref} names a digest`, "push to repository:tag; the digest follows from the content");
    await using key = await readSigningKey(terminal, options);
    const client = await connect(terminal, options);
    const source = await ImageLayout.open(resolve(terminal.cwd, layout));
    const bundle = await readFile(resolve(terminal.cwd, options.signature));
    const signer = options.signer && (await readFile(resolve(terminal.cwd, options.signer), "utf8"));
    const target = repositoryOf(client, repository);
    const unpacked = await unpackedFiles(source, target, options.tag, (dir) =>
      verifyModel({ bundle, files: dir, publicKeyPem: signer || publicKeyPem(key.signer.identity.spki) }),
    );
    requireSigned(unpacked.report, options.signature);
    const { envelope, signature } = unpacked.report;

    const { digest: manifest } = await copyArtifact(source, target, options.tag, { tag: reference });
    const { descriptor } = await target.resolve(manifest);
    const attached = await attach(target, { subject: descriptor, bundle, created: new Date() });
    await postEnvelope(client, envelope!.bytes);
    const files = inOrderOf(signature!.resources, unpacked.files);
    const base = options.base ?? unpacked.base;
    const statement = modelStatement({
      manifest,
      repository,
      files,
      signature: envelope!.digest,
      ...(base && { base }),
    });
    const stated: StatementResponse = await signAndPost(client, statement, key);
    const made = {
      manifest,
      repository,
      tag: reference,
      attached: attached.digest,
      signature: envelope!.digest,
      statement: stated.digest,
    };
    print(terminal, options.json, made, () => [manifest]);
    say(terminal, `${repository}:${reference} is ${manifest}, ${counted(files.length, "file")}, signed`);
  });
};

/** What a device will find: the files as they come out of the kit, not as they once lay in a folder. */
async function unpackedFiles(
  source: ImageLayout,
  bases: ArtifactSource,
  reference: string,
  verify: (dir: string) => Promise<ModelReport>,
): Promise<{ files: readonly NamedFile[]; report: ModelReport; base: Digest | undefined }> {
  const temporary = await mkdtemp(join(tmpdir(), "tally-push-"));
  try {
    const into = join(temporary, "model");
    const unpacked = await unpackModelKit({ source, bases, reference, into });
    const base = unpacked.bases[0]?.kit.resolved.digest;
    return { files: await hashFiles(into), report: await verify(into), base };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function requireSigned(report: ModelReport, file: string): void {
  const failed = report.checks.find(({ result }) => result !== "good");
  // Whether a certificate is to be trusted is not for the publisher to say.
  const byCertificate = failed?.name === "signature" && failed.result === "not made";
  if (failed === undefined || byCertificate) return;
  throw new CliError(
    exitCodes.verificationFailed,
    `${file} is no signature of this model: ${failed.name}: ${failed.message}`,
    {
      hint:
        failed.name === "signature"
          ? "give --signer PUBLIC_KEY if somebody else signed it"
          : "sign the folder that was packed, then push again",
    },
  );
}

function inOrderOf(resources: readonly { readonly path: string }[], files: readonly NamedFile[]): readonly NamedFile[] {
  const known = new Map(files.map((file) => [file.name, file]));
  return [...new Set(resources.map(({ path }) => path))].map((path) => {
    const file = known.get(path)!;
    return { ...file, digest: parseDigest(file.digest) };
  });
}
