import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { describeQuestion, digestOf, readBundle } from "@tally/evidence";
import { collect, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../program.ts";
import { questionOf } from "../question.ts";
import { print, say } from "../terminal/index.ts";

interface Options extends PlaneFlags {
  readonly model?: string;
  readonly from: string;
  readonly to: string;
  readonly device?: string[];
  readonly output: string;
}

/** `tally audit`: what ran between two times, as one file that anyone can verify. */
export const audit: Register = (program, { terminal }) => {
  const command = program
    .command("audit")
    .summary("ask what ran between two times")
    .description("ask what ran between two times, and get the answer with its evidence as one file")
    .option("--model <digest>", "this model only")
    .requiredOption("--from <time>", "from this time on: 2026-01-31, 2026-01-31T12:00:00Z, or milliseconds")
    .requiredOption("--to <time>", "up to, not including, this time")
    .option("--device <id>", "this device only (repeatable)", collect)
    .requiredOption("-o, --output <file>", "the bundle to write, such as answer.tally");
  withJson(withPlane(command)).action(async (options: Options) => {
    const question = questionOf(options);
    const client = await connect(terminal, options);
    const query = new URLSearchParams({ from: String(question.from), to: String(question.to) });
    if (question.model !== null) query.set("model", question.model);
    for (const id of question.devices ?? []) query.append("device", id);
    const bytes = await client.bytes(`/api/v1/audit?${query}`);
    const { members, question: answered } = readBundle(bytes);
    const path = resolve(terminal.cwd, options.output);
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
    say(terminal, `nothing of it is verified yet: tally verify ${options.output} --trust FILE`);
  });
};
