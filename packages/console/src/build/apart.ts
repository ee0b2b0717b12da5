import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BuildError } from "./error.ts";

const program = fileURLToPath(new URL("../../build.ts", import.meta.url));

/**
 * Builds the page in a process of its own: it takes seconds, in which whoever serves has other things to do.
 *
 * @throws BuildError `not-compiled` with what that process had to say
 */
export function buildPageApart(): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const options = { encoding: "buffer", maxBuffer: 64 * 1024 * 1024, timeout: 120_000 } as const;
    execFile(process.execPath, ["--disable-warning=ExperimentalWarning", program], options, (error, out, words) => {
      if (error === null) resolve(out);
      else reject(new BuildError("not-compiled", words.toString("utf8").trim() || error.message, { cause: error }));
    });
  });
}
