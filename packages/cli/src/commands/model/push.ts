import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  type Digest,
  type ModelResource,
  modelStatement,
  type NamedFile,
  publicKeyPem,
  type StatementResponse,
} from "@tally/evidence";
import {
  attach,
  copyArtifact,
  type FileEntry,
  filesOfModelKit,
  hashFiles,
  ImageLayout,
  type ModelReport,
  parseArtifactName,
  parseRepository,
  verifyModel,
} from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { type KeyFlags, readSigningKey, withPassphrase } from "../../keys/index.ts";
import { parseDigestOption, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import { postEnvelope, signAndPost } from "../../post-statement.ts";
import type { Register } from "../../register.ts";
import {
  CliError,
  counted,
  exitCodes,
  type ProgressMode,
  print,
  say,
  showingProgress,
  usageError,
  withProgressOption,
} from "../../terminal/index.ts";

interface Options extends PlaneFlags, KeyFlags {
  readonly signature: string;
  readonly signer?: string;
  readonly tag: string;
  readonly base?: Digest;
  readonly mountFrom?: string;
  readonly progress: ProgressMode;
}

/** In the layout: the uploads that are under way, for the next run to go on with. */
const uploadNotes = ".uploads.json";

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
    .option("--base <digest>", "manifest of the model that it was made from", parseDigestOption)
    .option("--mount-from <repository>", "where the registry may have some of the layers, which then are not sent");
  withJson(withProgressOption(withPlane(withPassphrase(command)))).action(
    async (layout: string, ref: string, options: Options) => {
      const { repository, reference } = parseArtifactName(ref);
      if (reference.includes(":"))
        throw usageError(`${ref} names a digest`, "push to repository:tag; the digest follows from the content");
      await using key = await readSigningKey(terminal, options);
      const client = await connect(terminal, options);
      const source = await ImageLayout.open(resolve(terminal.cwd, layout));
      const bundle = await readFile(resolve(terminal.cwd, options.signature));
      const signer = options.signer && (await readFile(resolve(terminal.cwd, options.signer), "utf8"));
      const target = repositoryOf(client, repository, { uploadNotes: join(source.dir, uploadNotes) });
      const { files: packed, bases } = await filesOfModelKit({ source, reference: options.tag, bases: target });
      const report = await showingProgress(terminal, options.progress, "hashing", (progress) =>
        verifyModel({
          bundle,
          files: packed,
          publicKeyPem: signer || publicKeyPem(key.signer.identity.spki),
          ...(progress && { progress }),
        }),
      );
      requireSigned(report, options.signature);
      const { envelope, signature } = report;

      const { mountFrom } = options;
      const { digest: manifest } = await showingProgress(terminal, options.progress, "pushing", (progress) =>
        copyArtifact(source, target, options.tag, {
          tag: reference,
          ...(mountFrom !== undefined && { mountFrom: parseRepository(mountFrom) }),
          ...(progress && { progress }),
        }),
      );
      const { descriptor } = await target.resolve(manifest);
      const attached = await attach(target, { subject: descriptor, bundle, created: new Date() });
      await postEnvelope(client, envelope!.bytes);
      const files = await namedFiles(signature!.resources, packed);
      const base = options.base ?? bases[0]?.kit.resolved.digest;
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
    },
  );
};

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

/** The signed files with their sizes, in the order of the signature; those that it signs whole were hashed just now. */
async function namedFiles(
  resources: readonly ModelResource[],
  packed: readonly FileEntry[],
): Promise<readonly NamedFile[]> {
  const signedWhole = new Map(
    resources.map(({ path, range, digest }) => [path, range === undefined ? digest : undefined]),
  );
  const known = new Map(packed.map((file) => [file.name, file]));
  const files = [...signedWhole].map(([path, digest]) => ({ ...known.get(path)!, ...(digest && { digest }) }));
  const digests = await hashFiles(files);
  return files.map(({ name, size }, i) => ({ name, size, digest: digests[i]! }));
}
