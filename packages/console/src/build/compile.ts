import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { BuildError } from "./error.ts";

const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");

/**
 * Turns ES modules (TypeScript, or JavaScript of a package) into CommonJS, file by file, with the TypeScript compiler:
 * types go, imports become calls of `require`, licence banners stay. Types are not checked here.
 *
 * @param files absolute paths
 * @returns the compiled text of each file, by its path
 * @throws BuildError `not-compiled` with what the compiler says
 */
export function compile(files: readonly string[]): ReadonlyMap<string, string> {
  const work = mkdtempSync(join(tmpdir(), "tally-console-"));
  try {
    mkdirSync(join(work, "in"));
    // Compiled where they are, files of a package with `"type": "module"` would stay ES modules.
    const copies = files.map((file, i) => join(work, "in", `${i}${extname(file)}`));
    for (const [i, file] of files.entries()) copyFileSync(file, copies[i]!);
    const config = join(work, "tsconfig.json");
    writeFileSync(config, JSON.stringify({ compilerOptions, files: copies }));
    const { status, stdout, error } = spawnSync(process.execPath, [compiler, "-p", config], { encoding: "utf8" });
    if (status !== 0) throw new BuildError("not-compiled", `of ${files.join(", ")}: ${stdout}`, { cause: error });
    return new Map(files.map((file, i) => [file, readFileSync(join(work, "out", `${i}.js`), "utf8")]));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const compilerOptions = {
  rootDir: "in",
  outDir: "out",
  target: "esnext",
  module: "commonjs",
  moduleResolution: "bundler",
  allowJs: true,
  noResolve: true,
  noCheck: true,
  isolatedModules: true,
  removeComments: true,
  allowImportingTsExtensions: true,
  rewriteRelativeImportExtensions: true,
  types: [],
};
