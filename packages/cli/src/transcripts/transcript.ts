// A transcript is a text file that reads like a terminal:
//
//     # What is shown here, in words.
//     $ tally keygen keys/publisher
//     <publisher key>
//     wrote <folder>/keys/publisher.pem (not encrypted: keep it to yourself) and <folder>/keys/publisher.pub.pem
//     $ tally keygen keys/publisher
//     error: <folder>/keys/publisher.pem is already there
//     hint: ...
//     ? 2
//
// `$` lines are commands, `? N` is the exit code where it is not 0, all else is what stands on the screen, stdout and
// stderr as they come. `...` on a line of its own is any number of lines, at the end of a line any rest of it.

/** One command and what it shows. */
export interface Step {
  readonly command: string;
  readonly expected: readonly string[];
  readonly exitCode: number;
  /** Where it stands in the file, from 1. */
  readonly line: number;
}

export function parseTranscript(text: string): readonly Step[] {
  const steps: { command: string; expected: string[]; exitCode: number; line: number }[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const step = steps.at(-1);
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), expected: [], exitCode: 0, line: i + 1 });
    else if (line.startsWith("# ") || line === "#" || line === "") continue;
    else if (step === undefined) throw new Error(`line ${i + 1} stands before the first command`);
    else if (line.startsWith("> ")) step.command += `\n${line.slice(2)}`;
    else if (line.startsWith("? ")) step.exitCode = Number(line.slice(2));
    else step.expected.push(line);
  }
  return steps;
}

/** What a command leaves running: its output is awaited, its exit is not. */
export function isBackground({ command }: Step): boolean {
  return command.trimEnd().endsWith("&");
}
