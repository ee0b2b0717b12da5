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
  const { main } = await import("../src/main.ts");
  process.exitCode = await main(process.argv.slice(2));
}
