import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  attach,
  attachNotation,
  containerSignatureStatement,
  parseArtifactName,
  signerBundle,
  signForBundle,
  signNotation,
} from "@tally/oci";
import { InvalidArgumentError } from "commander";
import { repositoryOf } from "../../artifact.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../../keys/index.ts";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { print, say, usageError } from "../../terminal/index.ts";

const formats = ["cosign", "notation"] as const;

interface Options extends SigningFlags, PlaneFlags {
  readonly format: (typeof formats)[number];
  readonly certificateChain?: string;
}

/** `tally artifact sign REF`: a signature on an artifact, which hangs on it in the registry. */
export const sign: Register = (program, { terminal }) => {
  const command = program
    .command("sign")
    .description("sign an artifact in the registry, and attach the signature to it")
    .argument("<ref>", "repository:tag or repository@sha256:…")
    .option("--key <key>", "private key, P-256 or P-384")
    .option("--format <format>", "cosign (a sigstore bundle) or notation (JWS)", parseFormat, "cosign")
    .option("--certificate-chain <file>", "for notation: certificates, the signer's first, its root last");
  withJson(withPlane(withKeyless(withPassphrase(command)))).action(async (ref: string, options: Options) => {
    const { repository, reference } = parseArtifactName(ref);
    await using key = await openSigningKey(terminal, options);
    const chain = await chainOf(options, (path) => readFile(resolve(terminal.cwd, path), "utf8"));
    const target = repositoryOf(await connect(terminal, options), repository);
    const { descriptor: subject, digest } = await target.resolve(reference);
    const created = new Date();
    const { signer } = key;
    async function signAndAttach() {
      if (chain !== undefined) {
        const envelope = await signNotation(subject, { signer, certificateChainPem: chain, at: created });
        return attachNotation(target, { subject, envelope, created });
      }
      const envelope = await signForBundle(containerSignatureStatement(digest), signer);
      return attach(target, { subject, bundle: await signerBundle(envelope, signer), created });
    }
    const attached = await signAndAttach();
    print(terminal, options.json, { artifact: digest, attached: attached.digest }, () => [attached.digest]);
    say(terminal, `signed ${repository}@${digest}`);
  });
};

async function chainOf(
  { format, certificateChain, keyless }: Options,
  read: (path: string) => Promise<string>,
): Promise<string | undefined> {
  if (format === "cosign") {
    if (certificateChain === undefined) return undefined;
    throw usageError("cosign's signatures by key carry no certificates", "add --format notation, or leave them out");
  }
  if (keyless === true) throw usageError("notation knows no keyless signatures", "give --key and --certificate-chain");
  if (certificateChain !== undefined) return read(certificateChain);
  throw usageError("notation signs by certificate", "give --certificate-chain FILE, with the signer's first");
}

function parseFormat(text: string): (typeof formats)[number] {
  const format = formats.find((known) => known === text);
  if (format === undefined) throw new InvalidArgumentError(`It is one of ${formats.join(", ")}.`);
  return format;
}
