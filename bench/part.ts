import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Row } from "./row.ts";

/** The end of a part's program: measures and hands the rows to whoever started it, or prints them. */
export async function part(measure: () => Promise<readonly Row[]>): Promise<void> {
  const rows = await measure();
  if (process.send === undefined) console.log(JSON.stringify(rows, null, 2));
  else await new Promise((sent) => process.send!(rows, sent));
  process.disconnect?.();
}

/** Runs a part in a process of its own, so that no part pays for what another left on the heap or in the compiler. */
export function runPart(name: string, args: readonly string[] = []): Promise<readonly Row[]> {
  const child = fork(fileURLToPath(new URL(`./parts/${name}.ts`, import.meta.url)), args);
  return new Promise((resolve, reject) => {
    let rows: readonly Row[] | undefined;
    child.on("message", (message) => {
      rows = message as Row[];
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (code === 0 && rows !== undefined) resolve(rows);
      else reject(new Error(`the part ${name} ended with ${signal ?? `code ${code}`}`));
    });
  });
}
