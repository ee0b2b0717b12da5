import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve as resolvePath } from "node:path";
import { BuildError } from "./error.ts";

interface PackageFile {
  readonly name?: string;
  readonly exports?: Target;
  readonly imports?: Readonly<Record<string, Target>>;
}
type Target = string | null | { readonly [condition: string]: Target };

/** What a browser asks for, in an ES module. */
const conditions: ReadonlySet<string> = new Set(["browser", "import", "default"]);

/**
 * The file that an import means in a browser: Node's algorithm as far as the packages of the page use it, with the
 * conditions `browser`, `import` and `default`. `require.resolve` would choose what is meant for Node.
 *
 * @param specifier as it stands in compiled text, where a relative `x.ts` has become `x.js`
 * @param importer absolute path of the source that imports
 * @throws BuildError `module-not-found`
 */
export function resolve(specifier: string, importer: string): string {
  const path = specifier.startsWith(".")
    ? relativeTo(importer, specifier)
    : specifier.startsWith("#")
      ? imported(specifier, importer)
      : exported(specifier, importer);
  if (path === undefined || !existsSync(path)) {
    throw new BuildError("module-not-found", `${importer} imports ${specifier}, which a browser has no file for`);
  }
  return path;
}

function relativeTo(importer: string, specifier: string): string {
  const path = resolvePath(dirname(importer), specifier);
  return importer.endsWith(".ts") ? path.replace(/\.js$/, ".ts") : path;
}

function imported(specifier: string, importer: string): string | undefined {
  for (let dir = dirname(importer); dir !== dirname(dir); dir = dirname(dir)) {
    if (!existsSync(join(dir, "package.json"))) continue;
    const target = choose(read(dir).imports?.[specifier]);
    return target && join(dir, target);
  }
  return undefined;
}

function exported(specifier: string, importer: string): string | undefined {
  const [, name, rest] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? [];
  if (name === undefined) return undefined;
  for (let dir = dirname(importer); dir !== dirname(dir); dir = dirname(dir)) {
    const home = join(dir, "node_modules", name);
    if (!existsSync(join(home, "package.json"))) continue;
    const { exports } = read(home);
    const path = `.${rest ?? ""}`;
    const bySubpath = typeof exports === "object" && exports !== null && "." in exports;
    const target = choose(bySubpath ? exports[path] : path === "." ? exports : undefined);
    return target && join(home, target);
  }
  return undefined;
}

function choose(target: Target | undefined): string | undefined {
  if (target === undefined || target === null || typeof target === "string") return target ?? undefined;
  for (const [condition, next] of Object.entries(target)) {
    const chosen = conditions.has(condition) ? choose(next) : undefined;
    if (chosen !== undefined) return chosen;
  }
  return undefined;
}

function read(dir: string): PackageFile {
  return JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as PackageFile;
}
