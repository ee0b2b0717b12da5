import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Digest, publicKeyPem } from "@tally/evidence";
import { attach, type FileEntry, filesOfModelKit, type ModelReport, parseArtifactName, verifyModel } from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../../keys/index.ts";
import { modelSignatures } from "../../model-signatures.ts";
import { parseDigestOption, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import {
  CliError,
  counted,
  exitCodes,
  type ProgressMode,
  print,
  say,
  showingProgress,
  withProgressOption,
} from "../../terminal/index.ts";
import { requireSigned, stateModel } from "./state-model.ts";

interface Options extends PlaneFlags, SigningFlags {
  readonly signature?: string;
  readonly signer?: string;
  readonly base?: Digest;
  readonly progress: ProgressMode;
}

/** `tally model register REF`: what `model push` states, of a model that another tool pushed. */
export const register: Register = (program, { terminal }) => {
  const command = program
    .command("register")
    .description(
      "state which files a model is that kit, oras or another tool pushed; the plane then knows it as a model",
    )
    .argument("<ref>", "repository:tag or repository@sha256:… in the plane's registry")
    .option("--key <key>", "private key of who publishes it")
    .option("--signature <file>", "its model signature, to be attached; without it, one that is attached already")
    .option("--signer <file>", "public key of who signed the model, where that is somebody else")
    .option("--base <digest>", "manifest of the model that it was made from", parseDigestOption);
  withJson(withProgressOption(withPlane(withKeyless(withPassphrase(command))))).action(
    async (ref: string, options: Options) => {
      const { repository, reference } = parseArtifactName(ref);
      await using key = await openSigningKey(terminal, options);
      const client = await connect(terminal, options);
      const target = repositoryOf(client, repository);
      const given = options.signature && (await readFile(resolve(terminal.cwd, options.signature)));
      const signer = options.signer && (await readFile(resolve(terminal.cwd, options.signer), "utf8"));
      const pem = signer || publicKeyPem(key.signer.identity.spki);

      // From here on by digest: a tag may move on while the model is read.
      const { digest: manifest, descriptor } = await target.resolve(reference);
      const { files, bases } = await showingProgress(terminal, options.progress, "reading", (progress) =>
        filesOfModelKit({ source: target, reference: manifest, ...(progress && { progress }) }),
      );
      const signatures = given ? [given] : modelSignatures(target, manifest);
      const { bundle, report } = await signatureOf(signatures, files, pem, ref);
      requireSigned(report, options.signature ?? "what is attached", bases);
      if (given) await attach(target, { subject: descriptor, bundle, created: new Date() });
      const base = options.base ?? bases[0]?.kit.resolved.digest;
      const stated = await stateModel(client, key, { manifest, repository, report, files, ...(base && { base }) });
      const made = { manifest, repository, signature: stated.signature, statement: stated.statement };
      print(terminal, options.json, made, () => [manifest]);
      say(terminal, `${ref} is ${manifest}, ${counted(stated.files, "file")}, signed`);
    },
  );
};

/** The first signature that holds, else the first of all, to say what is wrong with it. */
async function signatureOf(
  signatures: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  files: readonly FileEntry[],
  publicKeyPem: string,
  ref: string,
): Promise<{ readonly bundle: Uint8Array; readonly report: ModelReport }> {
  let first: { readonly bundle: Uint8Array; readonly report: ModelReport } | undefined;
  for await (const bundle of signatures) {
    const report = await verifyModel({ bundle, files, publicKeyPem });
    if (report.outcome === "good") return { bundle, report };
    first ??= { bundle, report };
  }
  if (first !== undefined) return first;
  throw new CliError(exitCodes.verificationFailed, `no signature of a model is attached to ${ref}`, {
    hint: "sign its folder with `tally model sign` or model_signing, and give --signature FILE",
  });
}
