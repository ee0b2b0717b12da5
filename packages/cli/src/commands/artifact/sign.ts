import {
  type ArtifactTarget,
  attach,
  attachNotation,
  containerSignatureStatement,
  parseArtifactName,
  type ResolvedManifest,
  signerBundle,
  signForBundle,
  signNotation,
} from "@tally/oci";
import { InvalidArgumentError } from "commander";
import { repositoryOf } from "../../artifact.ts";
import { openNotationKey, openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../../keys/index.ts";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { print, say, type Terminal, usageError } from "../../terminal/index.ts";
import { type NotationFlags, notationFlagOf, readNotationOptions, withNotation } from "./notation-flags.ts";

const formats = ["cosign", "notation"] as const;

interface Options extends SigningFlags, PlaneFlags, NotationFlags {
  readonly format: (typeof formats)[number];
}

/** `tally artifact sign REF`: a signature on an artifact, which hangs on it in the registry. */
export const sign: Register = (program, { terminal }) => {
  const command = program
    .command("sign")
    .description("sign an artifact in the registry, and attach the signature to it")
    .argument("<ref>", "repository:tag or repository@sha256:…")
    .option("--key <key>", "private key: P-256 or P-384, for notation also RSA")
    .option("--format <format>", "cosign (a sigstore bundle) or notation (by certificate)", parseFormat, "cosign");
  withJson(withPlane(withKeyless(withPassphrase(withNotation(command))))).action(
    async (ref: string, options: Options) => {
      const { repository, reference } = parseArtifactName(ref);
      const sign = options.format === "notation" ? signAsNotation : signAsCosign;
      await using signer = await sign(terminal, options);
      const target = repositoryOf(await connect(terminal, options), repository);
      const resolved = await target.resolve(reference);
      const { digest } = resolved;
      const attached = await signer.hang(target, resolved);
      print(terminal, options.json, { artifact: digest, attached: attached.digest }, () => [attached.digest]);
      say(terminal, `signed ${repository}@${digest}`);
    },
  );
};

/** Signs an artifact and hangs the signature on it. */
interface Hanger extends AsyncDisposable {
  hang(target: ArtifactTarget, artifact: Pick<ResolvedManifest, "descriptor" | "digest">): ReturnType<typeof attach>;
}

async function signAsCosign(terminal: Terminal, options: Options): Promise<Hanger> {
  const flag = notationFlagOf(options);
  if (flag !== undefined) throw usageError(`${flag} is notation's`, "add --format notation, or leave it out");
  const key = await openSigningKey(terminal, options);
  return {
    async hang(target, { descriptor: subject, digest }) {
      const envelope = await signForBundle(containerSignatureStatement(digest), key.signer);
      return attach(target, { subject, bundle: await signerBundle(envelope, key.signer), created: new Date() });
    },
    [Symbol.asyncDispose]: async () => key[Symbol.asyncDispose](),
  };
}

async function signAsNotation(terminal: Terminal, options: Options): Promise<Hanger> {
  const { key, passphraseFile, keyless } = options;
  if (keyless === true || key === undefined) {
    throw usageError("notation knows no keyless signatures", "give --key and --certificate-chain");
  }
  const created = new Date();
  const wish = await readNotationOptions(terminal, options, created);
  const opened = await openNotationKey(terminal, { key, ...(passphraseFile !== undefined && { passphraseFile }) });
  return {
    async hang(target, { descriptor: subject }) {
      const signature = await signNotation(subject, { ...wish, signer: opened.signer });
      return attachNotation(target, { subject, signature, created });
    },
    [Symbol.asyncDispose]: async () => opened[Symbol.asyncDispose](),
  };
}

function parseFormat(text: string): (typeof formats)[number] {
  const format = formats.find((known) => known === text);
  if (format === undefined) throw new InvalidArgumentError(`It is one of ${formats.join(", ")}.`);
  return format;
}
