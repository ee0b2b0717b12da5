import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { CliError, exitCodes } from "./exit-code.ts";

/**
 * Asks at the terminal for a secret: the question stands on stderr, what is typed nowhere.
 *
 * @throws CliError usage where the person breaks off (^C, ^D)
 */
export function askSecretly(question: string): Promise<string> {
  // Readline puts the terminal into raw mode, edits the line, and shows it on its output: on none.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  process.stderr.write(question);
  return new Promise((resolve, reject) => {
    let answer: string | undefined;
    lines.once("line", (line) => {
      answer = line;
      lines.close();
    });
    lines.once("SIGINT", () => lines.close());
    lines.once("close", () => {
      process.stderr.write("\n");
      if (answer === undefined) reject(new CliError(exitCodes.usage, "broken off: nothing was signed"));
      else resolve(answer);
    });
  });
}
