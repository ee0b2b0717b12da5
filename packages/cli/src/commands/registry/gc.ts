import type { CollectDecision, CollectRequest, CollectSummary } from "@tally/evidence";
import { parseDuration, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { CliError, counted, exitCodes, printLine, say, sizeWords } from "../../terminal/index.ts";

interface Options extends PlaneFlags {
  readonly dryRun?: boolean;
  readonly untagged?: boolean;
  readonly explain?: boolean;
  readonly grace?: number;
}

/** `tally registry gc`: removes what nothing needs, while the plane runs. */
export const gc: Register = (group, { terminal }) => {
  const command = group
    .command("gc")
    .summary("remove what nothing needs")
    .description(
      "remove blobs that no manifest names and bytes that no repository holds; never what a tag, a manifest, a rule or evidence needs. Pushes may go on",
    )
    .option("--dry-run", "print what would go, and why everything else stays; remove nothing")
    .option("--untagged", "also manifests that no tag, no manifest that stays and no evidence leads to")
    .option("--explain", "also print why each thing stays")
    .option("--grace <duration>", "what was brought or asked for since then stays; the default is 1d", parseDuration);
  withJson(withPlane(command)).action(async (options: Options) => {
    const { dryRun = false, untagged = false, explain = dryRun, grace, json, ...flags } = options;
    const asked: CollectRequest = { dryRun, untagged, explain, ...(grace !== undefined && { grace }) };
    const client = await connect(terminal, flags);
    let summary: CollectSummary | undefined;
    let some = false;
    const stays: Record<string, number> & { bytes: number } = { bytes: 0 };
    if (json) terminal.stdout.write('{\n  "decisions": [');
    for await (const line of client.lines<Line>("/api/v1/registry/collect", asked)) {
      if ("summary" in line) summary = line.summary;
      else if (json) terminal.stdout.write(`${some ? "," : ""}\n    ${JSON.stringify(line)}`);
      else printLine(terminal, inWords(line));
      some = true;
      if ("summary" in line || line.action !== "keep") continue;
      stays[line.what] = (stays[line.what] ?? 0) + 1;
      stays.bytes += line.size;
    }
    if (summary === undefined) {
      throw new CliError(exitCodes.unreachable, "the plane broke off the collection", {
        hint: "nothing is broken by that; run it again, and see the plane's log",
      });
    }
    if (json) terminal.stdout.write(`\n  ],\n  "summary": ${JSON.stringify(summary)}\n}\n`);
    const { manifests, blobs, files, bytes } = summary;
    const gone = [counted(manifests, "manifest"), counted(blobs, "blob"), counted(files, "file")].join(", ");
    say(terminal, `${dryRun ? "would remove" : "removed"}: ${gone}, ${counted(bytes, "byte")}`);
    if (!explain) return;
    const [kept, parts] = [counted(stays.manifest ?? 0, "manifest"), counted(stays.blob ?? 0, "blob")];
    say(terminal, `stays: ${kept}, ${parts}, ${sizeWords(stays.bytes)}, each counted where it is held`);
  });
};

type Line = CollectDecision | { readonly summary: CollectSummary };

function inWords({ action, what, repository, digest, size, because }: CollectDecision): string {
  const where = repository === undefined ? digest : `${repository}@${digest}`;
  return `${action.padEnd(6)} ${what.padEnd(8)} ${where} (${sizeWords(size)}): ${because}`;
}
