import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import {
  BundleDamage,
  describeQuestion,
  exitCodeOf,
  type IntervalQuestion,
  indexBundle,
  verifyBundle,
} from "@tally/evidence";
import { Option } from "commander";
import { modelNamed } from "../artifact.ts";
import { download } from "../download.ts";
import { openFileSource } from "../file-source.ts";
import { collect, withJson, withPlane } from "../options.ts";
import { giveName, refuseExisting, withForce } from "../output-file.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import { questionOf } from "../question.ts";
import type { Register } from "../register.ts";
import { reportAsJson } from "../report-json.ts";
import { headLines, reliedLines } from "../report-lines.ts";
import { summaryLines, summaryOutcome } from "../summary-lines.ts";
import { print, say, type Terminal, usageError } from "../terminal/index.ts";
import { readTrustFile, trusting } from "../trust-file.ts";

interface Options extends PlaneFlags {
  readonly model?: string;
  readonly from: string;
  readonly to: string;
  readonly device?: string[];
  readonly records?: Detail;
  readonly output?: string;
  readonly force?: boolean;
}

const details = ["full", "summarised", "none"] as const;
type Detail = (typeof details)[number];

/** `tally audit`: what ran between two times. First the counts, verified here; then the records, as one file for anyone. */
export const audit: Register = (program, { terminal, finish }) => {
  const command = program
    .command("audit")
    .summary("ask what ran between two times")
    .description(
      "ask what ran between two times: counts, verified on the spot; with -o the answer and its evidence as one file",
    )
    .option("--model <ref>", "this model only: sha256:…, repository:tag or repository@sha256:…")
    .requiredOption("--from <time>", "from this time on: 2026-01-31, 2026-01-31T12:00:00Z, or milliseconds")
    .requiredOption("--to <time>", "up to, not including, this time")
    .option("--device <id>", "this device only (repeatable)", collect)
    .option("--trust <file>", "the trust file that counts are verified with; TALLY_TRUST")
    .addOption(
      new Option(
        "--records <how>",
        "what goes into the file: every entry (full), the records and what counts them (summarised), or counts alone (none)",
      ).choices(details),
    )
    .option("-o, --output <file>", "the bundle to write, such as answer.tally");
  withForce(withJson(withPlane(command))).action(async (options: Options) => {
    const detail = options.records ?? (options.output === undefined ? "none" : "full");
    const kind = detail === "none" ? "summary" : "records";
    // What is wrong with the question is said before anybody is asked.
    questionOf({ ...options, model: undefined }, kind);
    const client = await connect(terminal, options);
    const model = options.model && (await modelNamed(terminal, client, options.model));
    const question = questionOf({ ...options, model }, kind);
    if (options.output !== undefined) {
      await writeAnswer(terminal, question, options, options.output);
      return;
    }
    if (detail !== "none") throw usageError("records are for a file", "give -o FILE as well");
    const trust = await readTrustFile(terminal, options);
    const bundle = await client.bytes(queryOf(question));
    const report = await verifyBundle({ bundle, ...(await trusting(trust)), expected: question, now: Date.now() });
    print(terminal, options.json, reportAsJson(report), () => [
      ...headLines(report),
      "",
      ...(report.answer?.summary ? [...summaryLines(report.answer.summary, report.answer.ledgers), ""] : []),
      ...(report.answer ? [...reliedLines(report.answer.reliesOn), ""] : []),
      ...summaryOutcome(report),
    ]);
    finish(exitCodeOf(report));
  });
};

/** The answer arrives in `<file>.part`, and has its name once it is whole. */
async function writeAnswer(
  terminal: Terminal,
  question: IntervalQuestion,
  options: Options,
  output: string,
): Promise<void> {
  const path = resolve(terminal.cwd, output);
  await refuseExisting(path, options.force);
  const client = await connect(terminal, options);
  const query = queryOf(question, options.records);
  const part = await download({
    path,
    of: `${client.url}${query}`,
    ask: (begun) => client.piece(query, begun),
    onResumed: (bytes) => say(terminal, `goes on after the ${bytes} bytes that are there`),
  });
  const { members, answered, digest, bytes } = await readAnswer(part);
  await giveName(part, path, options.force);
  const made = { question: describeQuestion(answered), file: path, digest, bytes, members };
  print(terminal, options.json, made, () => [digest]);
  say(terminal, `${describeQuestion(answered)}: ${members} members, ${bytes} bytes`);
  say(terminal, `nothing of it is verified yet: tally verify ${output} --trust FILE`);
}

/** What arrived has to be whole; what is not is of no use to go on with. */
async function readAnswer(part: string) {
  const hash = createHash("sha256");
  try {
    await using source = await openFileSource(part);
    const { question, members } = await indexBundle(source);
    for await (const piece of createReadStream(part)) hash.update(piece);
    return {
      members: members.length,
      answered: question,
      digest: `sha256:${hash.digest("hex")}`,
      bytes: source.size,
    };
  } catch (error) {
    if (error instanceof BundleDamage) await rm(part, { force: true });
    throw error;
  }
}

function queryOf(question: IntervalQuestion, records?: Detail): string {
  const query = new URLSearchParams({ from: String(question.from), to: String(question.to) });
  if (question.kind === "summary") query.set("detail", "summary");
  else if (records === "summarised") query.set("detail", "summarised");
  if (question.model !== null) query.set("model", question.model);
  for (const id of question.devices ?? []) query.append("device", id);
  return `/api/v1/audit?${query}`;
}
