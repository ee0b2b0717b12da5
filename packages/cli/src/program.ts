import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { commands } from "./commands/index.ts";
import type { Register } from "./register.ts";
import type { Terminal } from "./terminal/index.ts";

const exits = `
Exit codes:
  0 good  1 unexpected  2 usage  3 verification failed  4 denied by policy  5 not reachable  6 not proven

Environment: TALLY_URL, TALLY_TOKEN, TALLY_DIR, TALLY_TRUST (see \`tally env\`), TALLY_KEY_PASSPHRASE`;

/**
 * The command line, as far as these arguments need it: where they begin with a command only that one is loaded, and all are for what
 * lists or searches them.
 */
export async function program(
  terminal: Terminal,
  finish: (code: number) => void,
  args: readonly string[] = [],
): Promise<Command> {
  const root = new Command("tally")
    .description("Provenance for AI that runs anywhere: who made, allowed and ran which model, with proof")
    .version(manifest.version, "--version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: (text, write) => write(errorLines(text, "tally")),
    })
    .showSuggestionAfterError(true)
    .addHelpText("after", exits);
  for (const load of wanted(args)) (await load())(root, { terminal, finish });
  inherit(root);
  return root;
}

function wanted([first = ""]: readonly string[]): Iterable<() => Promise<Register>> {
  const one = commands.get(first);
  if (one !== undefined) return [one];
  return first === "--version" ? [] : commands.values();
}

/** Errors of every nested command are thrown and written like those of the root, and point to its own help. */
function inherit(parent: Command, path = "tally"): void {
  for (const child of parent.commands) {
    const name = `${path} ${child.name()}`;
    child.copyInheritedSettings(parent).exitOverride();
    child.configureOutput({
      ...parent.configureOutput(),
      outputError: (text, write) => write(errorLines(text, name)),
    });
    inherit(child, name);
  }
}

/** Commander's `error: …` and, on a line of its own, what may have been meant. */
function errorLines(text: string, command: string): string {
  const [error = "", ...more] = text.trimEnd().split("\n");
  const meant = /^\(Did you mean (.+)\?\)$/.exec(more.at(-1) ?? "")?.[1];
  const hint =
    meant === undefined
      ? `see \`${command} --help\``
      : `did you mean ${meant}? \`${command} --help\` lists what there is`;
  return `${error}\nhint: ${hint}\n`;
}
