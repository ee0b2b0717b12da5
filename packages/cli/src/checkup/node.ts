import { bad, type Finding, good } from "./finding.ts";

const needed = 26;

/** Native ML-DSA, SQLite and type stripping are what the version is needed for. */
export function checkNode(version: string): Finding {
  const major = Number(version.slice(1).split(".")[0]);
  if (major >= needed) return good("node", `Node ${version}`);
  return bad(
    "node",
    `Node ${version} is older than ${needed}`,
    "run `npm run tally --` in the project, which brings its own",
  );
}
