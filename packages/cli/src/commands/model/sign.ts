import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { signModel } from "@tally/oci";
import { type KeyFlags, readSigningKey, withPassphrase } from "../../keys/index.ts";
import { parseSize, withJson } from "../../options.ts";
import { withForce, writeOutput } from "../../output-file.ts";
import type { Register } from "../../register.ts";
import { counted, type ProgressMode, print, say, showingProgress, withProgressOption } from "../../terminal/index.ts";
import { signatureFile } from "./signature-file.ts";

interface Options extends KeyFlags {
  readonly certificateChain?: string;
  readonly name?: string;
  readonly output?: string;
  readonly shardSize?: number;
  readonly progress: ProgressMode;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `tally model sign DIR`: an OpenSSF model signature over every file of a folder. */
export const sign: Register = (program, { terminal }) => {
  const command = program
    .command("sign")
    .description(`sign all files of a model by OpenSSF Model Signing, into DIR/${signatureFile}`)
    .argument("<dir>", "the model's folder")
    .requiredOption("--key <key>", "private key, P-256 or P-384")
    .option("--certificate-chain <file>", "certificates, the signer's first: sign by certificate")
    .option("--name <name>", "what the model is called; the default is the folder's name")
    .option("--shard-size <bytes>", "hash files in pieces such as 256MiB, all cores at one large file", parseSize)
    .option("-o, --output <file>", "where the signature goes");
  withJson(withForce(withPassphrase(withProgressOption(command)))).action(async (folder: string, options: Options) => {
    await using key = await readSigningKey(terminal, options);
    const dir = resolve(terminal.cwd, folder);
    const { certificateChain, name, shardSize } = options;
    const chain = certificateChain && (await readFile(resolve(terminal.cwd, certificateChain), "utf8"));
    const { bundle, envelope, signature } = await showingProgress(terminal, options.progress, "hashing", (progress) =>
      signModel({
        files: dir,
        signer: key.signer,
        ignorePaths: [signatureFile],
        ...(name !== undefined && { name }),
        ...(chain && { certificateChainPem: chain }),
        ...(shardSize !== undefined && { serialization: { method: "shards", shardSize } }),
        ...(progress && { progress }),
      }),
    );
    const output = await writeOutput(terminal, options.output ?? join(dir, signatureFile), bundle, options.force);
    const files = signature.resources.map(({ path, range, digest }) => {
      return { name: range === undefined ? path : `${path}:${range.start}:${range.end}`, digest };
    });
    const covered = new Set(signature.resources.map(({ path }) => path)).size;
    const made = { model: signature.model, signature: envelope.digest, file: output, files };
    print(terminal, options.json, made, () => files.map((file) => `${file.digest}  ${file.name}`));
    say(terminal, `signed ${counted(covered, "file")}: ${output}`);
  });
};
