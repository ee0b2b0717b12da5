#!/usr/bin/env node
// The entry of `tally`. Plain JavaScript, so that a Node too old for the rest can still say so in one line.

const needed = 26;
const major = Number(process.versions.node.split(".")[0]);

if (major < needed) {
  process.stderr.write(
    `error: tally needs Node ${needed} or newer and this is ${process.version}; \`npm run tally --\` in the project brings its own\n`,
  );
  process.exit(1);
} else {
  const { enableCompileCache } = await import("node:module");
  const { fileURLToPath } = await import("node:url");
  // Stripping types of some 400 files takes as long as everything else a short command does: 0.5 s become 0.3 s. The cache
  // lies in the project and not in a folder that other users can write, since what is in it is run.
  enableCompileCache(fileURLToPath(new URL("../../../node_modules/.cache/tally", import.meta.url)));
  const { main } = await import("../src/main.ts");
  process.exitCode = await main(process.argv.slice(2));
}
