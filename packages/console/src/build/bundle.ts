import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import { compile } from "./compile.ts";
import { resolve } from "./resolve.ts";

/** A program as one classic script. */
export interface Script {
  readonly text: string;
  /** Every source file in it, by its path from the root, in the order of the paths. */
  readonly modules: readonly string[];
}

/**
 * Bundles an ES module and everything it imports into one classic script. Each module is a function in a registry and
 * runs when first required:
 *
 *     (() => { "use strict";
 *     const sources = { "packages/evidence/src/bytes.ts": (require, exports) => { … }, … };
 *     … require("packages/console/src/page/main.ts"); })();
 *
 * The same sources give the same bytes. Names stay as written, so that the script can be read beside its sources.
 *
 * @param root the folder below which all sources lie
 * @param entry absolute path of the module that runs
 * @throws BuildError `module-not-found`, `not-compiled`
 */
export function bundle(root: string, entry: string): Script {
  const compiled = new Map<string, string>();
  const name = (file: string) => relative(root, file).split(sep).join("/");
  let open: readonly string[] = [realpathSync(entry)];
  while (open.length > 0) {
    const found = new Set<string>();
    for (const [file, text] of compile(open)) {
      const linked = text.replace(requireCall, (_, specifier: string) => {
        const path = realpathSync(resolve(specifier, file));
        found.add(path);
        return `require(${JSON.stringify(name(path))})`;
      });
      compiled.set(file, linked);
    }
    open = [...found].filter((file) => !compiled.has(file)).sort();
  }
  const modules = [...compiled].map(([file, text]) => ({ name: name(file), text })).sort(byName);
  const sources = modules.map((module) => `${JSON.stringify(module.name)}: (require, exports) => {\n${module.text}}`);
  return {
    text: `(() => {\n"use strict";\nconst sources = {\n${sources.join(",\n")}\n};\n${registry}require(${JSON.stringify(name(realpathSync(entry)))});\n})();\n`,
    modules: modules.map((module) => module.name),
  };
}

const requireCall = /\brequire\("([^"]+)"\)/g;

// A module that is being run already is given as far as it is, as CommonJS does with cycles.
const registry = `const loaded = new Map();
function require(name) {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const exports = {};
  loaded.set(name, exports);
  sources[name](require, exports);
  return exports;
}
`;

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
