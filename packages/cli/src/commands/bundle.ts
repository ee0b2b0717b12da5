import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  decodeCbor,
  describeQuestion,
  encodeCbor,
  fromHex,
  indexBundle,
  type Member,
  type MemberType,
  memberTypeName,
  memberTypes,
  questionFromCbor,
  questionToCbor,
  readMembers,
  toHex,
  writeBundle,
} from "@tally/evidence";
import { openFileSource } from "../file-source.ts";
import { withForce, writeOutput } from "../output-file.ts";
import type { Register } from "../register.ts";
import { CliError, exitCodes, say } from "../terminal/index.ts";

/** `tally bundle open` and `pack`: a bundle as files that a person can read, and back to identical bytes. */
export const bundle: Register = (program, { terminal }) => {
  const group = program
    .command("bundle")
    .summary("take an answer apart, and put it together again")
    .description("take an evidence bundle apart, and put it together again");
  group
    .command("open")
    .description("unpack a bundle into a folder: one file for each member, notes and statements as they were signed")
    .argument("<file>", "the bundle")
    .requiredOption("-o, --output <dir>", "a folder that is not there yet, or empty")
    .action(async (file: string, { output }: { output: string }) => {
      await using source = await openFileSource(resolve(terminal.cwd, file));
      const index = await indexBundle(source);
      const { question, members } = index;
      const dir = resolve(terminal.cwd, output);
      await mkdir(dir, { recursive: true });
      if ((await readdir(dir)).length > 0) throw new CliError(exitCodes.usage, `${dir} is not empty`);
      const header = {
        format: "tally-bundle/v1",
        question: describeQuestion(question),
        cbor: toHex(encodeCbor(questionToCbor(question))),
      };
      await writeFile(join(dir, "question.json"), `${JSON.stringify(header, null, 2)}\n`);
      let position = 0;
      for await (const member of readMembers(index, members)) {
        await writeFile(join(dir, fileName(position, member)), member.bytes);
        position += 1;
      }
      say(terminal, `${members.length} members in ${dir}`);
    });
  const pack = group
    .command("pack")
    .description("restore the bundle that `open` unpacked, byte for byte")
    .argument("<dir>", "the folder")
    .requiredOption("-o, --output <file>", "the bundle to write");
  withForce(pack).action(async (folder: string, { output, force }: { output: string; force?: boolean }) => {
    const dir = resolve(terminal.cwd, folder);
    const header = JSON.parse(await readFile(join(dir, "question.json"), "utf8")) as { cbor?: unknown };
    if (typeof header.cbor !== "string")
      throw new CliError(exitCodes.usage, `${dir}/question.json has no "cbor" member`);
    const members: Member[] = [];
    for (const name of (await readdir(dir)).sort()) {
      if (name === "question.json") continue;
      members.push({ type: typeOf(name), bytes: await readFile(join(dir, name)) });
    }
    const bytes = writeBundle(questionFromCbor(decodeCbor(fromHex(header.cbor))), members);
    await writeOutput(terminal, output, bytes, force);
    say(terminal, `${members.length} members, ${bytes.length} bytes`);
  });
};

const extensions: Partial<Record<number, string>> = {
  [memberTypes.planeCheckpoint]: "txt",
  [memberTypes.fleetCheckpoint]: "txt",
  [memberTypes.deviceCheckpoint]: "txt",
  [memberTypes.envelope]: "json",
  [memberTypes.blob]: "bin",
};

// 000012-entries.cbor: the position keeps the order readable, the name gives the type back.
function fileName(position: number, { type }: Member): string {
  return `${String(position).padStart(6, "0")}-${memberTypeName(type)}.${extensions[type] ?? "cbor"}`;
}

function typeOf(file: string): MemberType {
  const name = /^\d{6}-([A-Za-z]+)\.[a-z]+$/.exec(file)?.[1];
  const found = Object.entries(memberTypes).find(([known]) => known === name);
  if (found === undefined)
    throw new CliError(exitCodes.usage, `${file} is no member of a bundle`, { hint: "remove it from the folder" });
  return found[1];
}
