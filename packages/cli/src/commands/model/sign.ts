import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { SignatureDialect } from "@tally/evidence";
import { signModel } from "@tally/oci";
import { InvalidArgumentError } from "commander";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../../keys/index.ts";
import { collect, parseSize, withJson } from "../../options.ts";
import { refuseExisting, withForce, writeOutput } from "../../output-file.ts";
import type { Register } from "../../register.ts";
import { counted, type ProgressMode, print, say, showingProgress, withProgressOption } from "../../terminal/index.ts";
import { signatureFile, within } from "./signature-file.ts";

interface Options extends SigningFlags {
  readonly certificateChain?: string;
  readonly name?: string;
  readonly output?: string;
  readonly shardSize?: number;
  readonly ignorePaths?: readonly string[];
  readonly allowSymlinks?: boolean;
  readonly dialect?: SignatureDialect;
  readonly progress: ProgressMode;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `tally model sign DIR`: an OpenSSF model signature over every file of a folder. */
export const sign: Register = (program, { terminal }) => {
  const command = program
    .command("sign")
    .description(`sign all files of a model by OpenSSF Model Signing, into DIR/${signatureFile}`)
    .argument("<dir>", "the model's folder, or its one file")
    .option("--key <key>", "private key, P-256 or P-384")
    .option("--certificate-chain <file>", "certificates, the signer's first: sign by certificate")
    .option("--name <name>", "what the model is called; the default is the folder's name")
    .option("--shard-size <bytes>", "hash files in pieces such as 256MiB, all cores at one large file", parseSize)
    .option("--ignore-paths <path>", "a path within the folder that is no part of the model (repeatable)", collect)
    .option("--allow-symlinks", "links stand for what they lead to; they are refused otherwise")
    .option("--dialect <name>", "specification, or model_signing for what the reference tool verifies", parseDialect)
    .option("-o, --output <file>", "where the signature goes");
  withJson(withForce(withKeyless(withPassphrase(withProgressOption(command))))).action(
    async (path: string, options: Options) => {
      await using key = await openSigningKey(terminal, options);
      const model = resolve(terminal.cwd, path);
      const { certificateChain, name, shardSize, ignorePaths = [], allowSymlinks, dialect } = options;
      const chain = certificateChain && (await readFile(resolve(terminal.cwd, certificateChain), "utf8"));
      const isFolder = (await stat(model)).isDirectory();
      const output = resolve(terminal.cwd, options.output ?? (isFolder ? join(model, signatureFile) : `${model}.sig`));
      await refuseExisting(output, options.force);
      const { bundle, envelope, signature } = await showingProgress(terminal, options.progress, "hashing", (progress) =>
        signModel({
          files: model,
          signer: key.signer,
          ignorePaths: isFolder ? [signatureFile, ...within(model, output), ...ignorePaths] : [],
          ...(allowSymlinks && { allowSymlinks }),
          ...(dialect && { dialect }),
          ...(name !== undefined && { name }),
          ...(chain && { certificateChainPem: chain }),
          ...(shardSize !== undefined && { serialization: { method: "shards", shardSize } }),
          ...(progress && { progress }),
        }),
      );
      await writeOutput(terminal, output, bundle, options.force);
      const files = signature.resources.map(({ path, range, digest }) => {
        return { name: range === undefined ? path : `${path}:${range.start}:${range.end}`, digest };
      });
      const covered = new Set(signature.resources.map(({ path }) => path)).size;
      const made = { model: signature.model, signature: envelope.digest, file: output, files };
      print(terminal, options.json, made, () => files.map((file) => `${file.digest}  ${file.name}`));
      say(terminal, `signed ${counted(covered, "file")}: ${output}`);
    },
  );
};

function parseDialect(text: string): SignatureDialect {
  if (text === "specification" || text === "model_signing") return text;
  throw new InvalidArgumentError("It is specification or model_signing.");
}
