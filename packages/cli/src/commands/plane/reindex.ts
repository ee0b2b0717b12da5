import { resolve } from "node:path";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { print } from "../../terminal/index.ts";

/** `tally plane reindex FOLDER`: what the database knows of ledgers and statements, read again from them. */
export const reindex: Register = (group, { terminal }) => {
  const command = group
    .command("reindex")
    .summary("make a plane's index again from its logs")
    .description(
      "make a plane's index again from its logs: all that the database knows of ledgers, statements and heads. May be stopped: the next run, or the plane's next start, reads on",
    )
    .argument("<folder>", "the plane's folder");
  withJson(command).action(async (folder: string, options: { json?: boolean }) => {
    const { reindexPlane } = await import("@tally/plane");
    const report = await reindexPlane({ dir: resolve(terminal.cwd, folder) });
    const { plane, ledgers, entries, statements } = report;
    print(terminal, options.json, report, () => [
      `${plane}: index made again of ${entries} entries, ledgers: ${ledgers}, statements: ${statements}`,
    ]);
  });
};
