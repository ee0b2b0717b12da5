import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  describeQuestion,
  digestOf,
  exitCodeOf,
  type IntervalQuestion,
  readBundle,
  verifyBundle,
} from "@tally/evidence";
import { Option } from "commander";
import { collect, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../program.ts";
import { questionOf } from "../question.ts";
import { reportAsJson } from "../report-json.ts";
import { headLines } from "../report-lines.ts";
import { summaryLines, summaryOutcome } from "../summary-lines.ts";
import { print, say, type Terminal, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";

interface Options extends PlaneFlags {
  readonly model?: string;
  readonly from: string;
  readonly to: string;
  readonly device?: string[];
  readonly records?: Detail;
  readonly output?: string;
}

const details = ["full", "none"] as const;
type Detail = (typeof details)[number];

/** `tally audit`: what ran between two times. First the counts, verified here; then the records, as one file for anyone. */
export const audit: Register = (program, { terminal, finish }) => {
  const command = program
    .command("audit")
    .summary("ask what ran between two times")
    .description(
      "ask what ran between two times: counts, verified on the spot; with -o the answer and its evidence as one file",
    )
    .option("--model <digest>", "this model only")
    .requiredOption("--from <time>", "from this time on: 2026-01-31, 2026-01-31T12:00:00Z, or milliseconds")
    .requiredOption("--to <time>", "up to, not including, this time")
    .option("--device <id>", "this device only (repeatable)", collect)
    .option("--trust <file>", "the trust file that counts are verified with; TALLY_TRUST")
    .addOption(
      new Option("--records <how>", "what goes into the file: every entry (full), or counts alone (none)").choices(
        details,
      ),
    )
    .option("-o, --output <file>", "the bundle to write, such as answer.tally");
  withJson(withPlane(command)).action(async (options: Options) => {
    const detail = options.records ?? (options.output === undefined ? "none" : "full");
    const question = questionOf(options, detail === "none" ? "summary" : "records");
    if (options.output !== undefined) {
      await writeAnswer(terminal, question, options, options.output);
      return;
    }
    if (detail !== "none") throw usageError("records are for a file", "give -o FILE as well");
    const trust = await readTrustFile(terminal, options);
    const bundle = await ask(terminal, question, options);
    const report = await verifyBundle({ bundle, trust, expected: question, now: Date.now() });
    print(terminal, options.json, reportAsJson(report), () => [
      ...headLines(report),
      "",
      ...(report.answer?.summary ? [...summaryLines(report.answer.summary, report.answer.ledgers), ""] : []),
      ...summaryOutcome(report),
    ]);
    finish(exitCodeOf(report));
  });
};

async function writeAnswer(
  terminal: Terminal,
  question: IntervalQuestion,
  options: Options,
  output: string,
): Promise<void> {
  const bytes = await ask(terminal, question, options);
  const { members, question: answered } = await readBundle(bytes);
  const path = resolve(terminal.cwd, output);
  await writeFile(path, bytes);
  const digest = digestOf(bytes);
  const made = {
    question: describeQuestion(answered),
    file: path,
    digest,
    bytes: bytes.length,
    members: members.length,
  };
  print(terminal, options.json, made, () => [digest]);
  say(terminal, `${describeQuestion(answered)}: ${members.length} members, ${bytes.length} bytes`);
  say(terminal, `nothing of it is verified yet: tally verify ${output} --trust FILE`);
}

async function ask(terminal: Terminal, question: IntervalQuestion, flags: PlaneFlags): Promise<Uint8Array> {
  const query = new URLSearchParams({ from: String(question.from), to: String(question.to) });
  if (question.kind === "summary") query.set("detail", "summary");
  if (question.model !== null) query.set("model", question.model);
  for (const id of question.devices ?? []) query.append("device", id);
  return (await connect(terminal, flags)).bytes(`/api/v1/audit?${query}`);
}
