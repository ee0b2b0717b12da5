// `npm run --silent console -- -o verify.html`: writes the verifier page. Without -o, to standard output.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { BuildError, buildPage } from "./src/index.ts";

function main(): number {
  let out: string | undefined;
  try {
    out = parseArgs({ options: { out: { type: "string", short: "o" } } }).values.out;
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\nhint: npm run --silent console -- -o verify.html\n`);
    return 2;
  }
  if (out === undefined && process.stdout.isTTY) {
    process.stderr.write(
      "error: the page is 800 KB, and this is a terminal\nhint: npm run --silent console -- -o verify.html\n",
    );
    return 2;
  }
  try {
    const page = buildPage();
    if (out === undefined) process.stdout.write(page);
    else {
      writeFileSync(resolve(process.env.TALLY_CWD ?? ".", out), page);
      process.stderr.write(
        `${out}: ${Buffer.byteLength(page)} bytes, SHA-256 ${createHash("sha256").update(page).digest("hex")}\n`,
      );
    }
    return 0;
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    process.stderr.write(`error: ${error.message}\nhint: npm ci, then build again\n`);
    return 1;
  }
}

process.exitCode = main();
