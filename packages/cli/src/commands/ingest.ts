import { resolve } from "node:path";
import { type Ingestion, ingestionStatement } from "@tally/evidence";
import { hashFiles } from "../hash-files.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../keys/index.ts";
import { parseLicense } from "../license.ts";
import { parseCount, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import { signAndPost } from "../post-statement.ts";
import type { Register } from "../register.ts";
import { counted, print, say } from "../terminal/index.ts";

interface Options extends PlaneFlags, SigningFlags {
  readonly source: string;
  readonly license: string;
  readonly citation?: string;
  readonly rows?: number;
}

/** `tally ingest FILES…`: a signed word on where data comes from. The files stay where they are. */
export const ingest: Register = (program, { terminal }) => {
  const command = program
    .command("ingest")
    .summary("state where data comes from")
    .description("state where data comes from: hash the files, sign an ingestion statement, add it to the plane's log")
    .argument("<files...>", "files, or folders with all their files")
    .requiredOption("--source <source>", "where it comes from: a URL, or a name that people find it by")
    .requiredOption("--license <spdx>", "licence, as an SPDX expression, such as CC-BY-4.0", parseLicense)
    .option("--citation <text>", "how to cite it")
    .option("--rows <n>", "how many rows it has", parseCount)
    .option("--key <key>", "private key of who says so");
  withJson(withPlane(withKeyless(withPassphrase(command)))).action(async (paths: string[], options: Options) => {
    const { source, license, citation, rows } = options;
    await using signingKey = await openSigningKey(terminal, options);
    const client = await connect(terminal, options);
    const files = (await Promise.all(paths.map((path) => hashFiles(resolve(terminal.cwd, path))))).flat();
    const ingestion: Ingestion = {
      source,
      license,
      files,
      ...(citation !== undefined && { citation }),
      ...(rows !== undefined && { rows }),
    };
    const { digest, index } = await signAndPost(client, ingestionStatement(ingestion), signingKey);
    print(terminal, options.json, { statement: digest, index, files }, () =>
      files.map((file) => `${file.digest}  ${file.name}`),
    );
    say(terminal, `ingested ${counted(files.length, "file")}: statement ${digest}, entry ${index} of the plane's log`);
  });
};
