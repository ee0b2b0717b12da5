import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { type Terminal, usageError } from "../../terminal/index.ts";
import type { Pkcs11Uri } from "./uri.ts";

export const moduleVariable = "TALLY_PKCS11_MODULE";

const triples: Readonly<Record<string, string>> = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };

/** Where packages put PKCS #11 libraries. */
function folders(): readonly string[] {
  const triple = triples[process.arch];
  const own = triple === undefined ? [] : [`/usr/lib/${triple}`];
  return [...own, "/usr/lib64", "/usr/lib", "/usr/local/lib", "/opt/homebrew/lib"].flatMap((folder) => [
    folder,
    join(folder, "pkcs11"),
    join(folder, "softhsm"),
  ]);
}

/** The library's file: of the URI, else of the environment. @throws CliError usage */
export function modulePathOf(uri: Pkcs11Uri, terminal: Terminal): string {
  const path = uri.modulePath ?? (uri.moduleName === undefined ? terminal.env[moduleVariable] : undefined);
  if (path !== undefined && path !== "") {
    // A bare name would be looked for along the loader's path, where somebody else's library may lie.
    if (!isAbsolute(path)) throw usageError(`the PKCS #11 library ${path} is not named by an absolute path`);
    if (!existsSync(path)) throw usageError(`there is no PKCS #11 library ${path}`, "check module-path");
    return path;
  }
  const { moduleName } = uri;
  if (moduleName === undefined) {
    throw usageError(
      "which library talks to the token?",
      `add ?module-path=/path/to/library.so to the URI, or set ${moduleVariable}`,
    );
  }
  if (!/^[\w.-]+$/.test(moduleName))
    throw usageError(`${moduleName} is no module-name`, "it has no path and no suffix");
  const files = [`lib${moduleName}.so`, `${moduleName}.so`, `lib${moduleName}.dylib`, `${moduleName}.dylib`];
  const found = folders()
    .flatMap((folder) => files.map((file) => join(folder, file)))
    .find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw usageError(
    `there is no PKCS #11 library called ${moduleName} where packages put them`,
    "give module-path instead",
  );
}
