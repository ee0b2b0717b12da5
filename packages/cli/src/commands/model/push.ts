import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Digest, publicKeyPem } from "@tally/evidence";
import {
  attach,
  copyArtifact,
  filesOfModelKit,
  ImageLayout,
  type Progress,
  parseArtifactName,
  parseRepository,
  verifyModel,
} from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../../keys/index.ts";
import { parseDigestOption, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import {
  counted,
  type ProgressMode,
  print,
  say,
  showingProgress,
  usageError,
  withProgressOption,
} from "../../terminal/index.ts";
import { signManifest } from "./sign-manifest.ts";
import { requireSigned, stateModel } from "./state-model.ts";

interface Options extends PlaneFlags, SigningFlags {
  readonly signature: string;
  readonly signer?: string;
  readonly tag: string;
  readonly base?: Digest;
  readonly mountFrom?: string;
  readonly progress: ProgressMode;
}

/** In the layout: the uploads that are under way, for the next run to go on with. */
const uploadNotes = ".uploads.json";

/** `tally model push LAYOUT REF`: the model, signatures of its files and of itself as referrers, the statements that make it known. */
export const push: Register = (program, { terminal }) => {
  const command = program
    .command("push")
    .description("push a packed model, attach its signature and one that cosign verifies, and state which files it is")
    .argument("<layout>", "the image layout that `model pack` made")
    .argument("<ref>", "repository:tag in the plane's registry")
    .requiredOption("--signature <file>", "the model signature that `model sign` made")
    .option("--key <key>", "private key of who publishes it")
    .option("--signer <file>", "public key of who signed the model, where that is somebody else")
    .option("--tag <tag>", "its tag in the layout", "latest")
    .option("--base <digest>", "manifest of the model that it was made from", parseDigestOption)
    .option("--mount-from <repository>", "where the registry may have some of the layers, which then are not sent");
  withJson(withProgressOption(withPlane(withKeyless(withPassphrase(command))))).action(
    async (layout: string, ref: string, options: Options) => {
      const { repository, reference } = parseArtifactName(ref);
      if (reference.includes(":"))
        throw usageError(`${ref} names a digest`, "push to repository:tag; the digest follows from the content");
      await using key = await openSigningKey(terminal, options);
      const client = await connect(terminal, options);
      const source = await ImageLayout.open(resolve(terminal.cwd, layout));
      const bundle = await readFile(resolve(terminal.cwd, options.signature));
      const signer = options.signer && (await readFile(resolve(terminal.cwd, options.signer), "utf8"));
      const target = repositoryOf(client, repository, { uploadNotes: join(source.dir, uploadNotes) });
      const { files: packed, bases } = await filesOfModelKit({ source, reference: options.tag, bases: target });
      const { mountFrom } = options;
      const verified = async (progress: Progress | undefined) => {
        const publicKey = signer || publicKeyPem(key.signer.identity.spki);
        const report = await verifyModel({
          bundle,
          files: packed,
          publicKeyPem: publicKey,
          ...(progress && { progress }),
        });
        requireSigned(report, options.signature, bases);
        return report;
      };
      // Hashed while it is sent. What turns out not to be what was signed gets no name in the registry.
      const pushed = async (progress: Progress | undefined) => {
        const condition = verified(progress);
        const { digest } = await copyArtifact(source, target, options.tag, {
          tag: reference,
          condition,
          ...(mountFrom !== undefined && { mountFrom: parseRepository(mountFrom) }),
          ...(progress && { progress }),
        });
        return { manifest: digest, report: await condition };
      };
      const { manifest, report } = await showingProgress(terminal, options.progress, "verifying and pushing", pushed);
      const resolved = await target.resolve(manifest);
      const attached = await attach(target, { subject: resolved.descriptor, bundle, created: new Date() });
      const artifactSignature = await signManifest(target, key, resolved);
      const base = options.base ?? bases[0]?.kit.resolved.digest;
      const stated = await stateModel(client, key, {
        manifest,
        repository,
        report,
        files: packed,
        ...(base && { base }),
      });
      const made = {
        manifest,
        repository,
        tag: reference,
        attached: attached.digest,
        artifactSignature,
        signature: stated.signature,
        statement: stated.statement,
      };
      print(terminal, options.json, made, () => [manifest]);
      say(terminal, `${repository}:${reference} is ${manifest}, ${counted(stated.files, "file")}, signed`);
    },
  );
};
