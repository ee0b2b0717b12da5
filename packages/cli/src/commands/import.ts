import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Trust } from "@tally/evidence";
import { type CarrierCheck, inspectCarrier, OciError, unpackCarrier } from "@tally/oci";
import { type ImportReport, outcomeOf, reportJsonOf, reportLinesOf, takenLines } from "../carry/import-lines.ts";
import { openPlaneFolder } from "../carry/plane-in-folder.ts";
import { type TakenModel, takeIn } from "../carry/take-in.ts";
import { type CarriedModel, verifyCarriedModel } from "../carry/verify-model.ts";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { CliError, counted, exitCodes, print, say, type Terminal, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";

interface Options extends PlaneFlags {
  readonly trust?: string;
  readonly dir?: string;
  readonly check?: boolean;
  readonly evenUnproven?: boolean;
}

type Found = ImportReport & { readonly carried: NonNullable<Awaited<ReturnType<typeof inspectCarrier>>> | undefined };

/** `tally import LAYOUT|TAR`: verifies what `tally export` wrote, believing nobody who carried it, and takes it into a plane. */
export const importCommand: Register = (program, { terminal, finish }) => {
  const command = program
    .command("import")
    .summary("verify what was exported elsewhere, and take it into a plane")
    .description(
      "verify a layout that `tally export` wrote: every byte, signature, statement and proof, by a trust file that came another way; then take it into a plane. It needs no network",
    )
    .argument("<layout>", "the folder, or the .tar")
    .option("--trust <file>", "the trust file of the plane that it comes from; TALLY_TRUST")
    .option("--dir <dir>", "the folder of a plane that does not run: nothing goes over any network")
    .option("--check", "verify, and take nothing in")
    .option(
      "--even-unproven",
      "take in what is not proven, such as a model that nobody has approved; never what is bad",
    );
  withJson(withPlane(command)).action(async (layout: string, options: Options) => {
    const trust = await readTrustFile(terminal, options);
    // What is wrong with the place to take it is said before the long part.
    const client = options.check === true || options.dir !== undefined ? undefined : await connect(terminal, options);
    const temporary = await mkdtemp(join(tmpdir(), "tally-import-"));
    try {
      const found = await lookAt(resolve(terminal.cwd, layout), trust, temporary);
      const outcome = outcomeOf(found);
      const isTaken = options.check !== true && mayTake(outcome, options);
      if (!options.json) for (const line of reportLinesOf(found)) print(terminal, false, line, () => [line]);
      const taken = isTaken ? await takeAll(terminal, found, options, client) : null;
      if (options.json) print(terminal, true, reportJsonOf(found, taken), () => []);
      else if (taken !== null) print(terminal, false, taken, () => ["", ...takenLines(taken)]);
      sayWhat(terminal, options, taken);
      finish(outcome === exitCodes.good && refusedIn(taken) ? exitCodes.denied : outcome);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  });
};

function mayTake(outcome: number, { evenUnproven }: Options): boolean {
  return outcome === exitCodes.good || (outcome === exitCodes.notProven && evenUnproven === true);
}

async function lookAt(path: string, trust: Trust, temporary: string): Promise<Found> {
  const layout: CarrierCheck[] = [];
  const say = (check: CarrierCheck) => void layout.push(check);
  const dir = await opened(path, temporary, say);
  const carried = dir === undefined ? undefined : await inspectCarrier(dir, say);
  const models: CarriedModel[] = [];
  // What is not what its digest says is not looked into.
  if (carried === undefined || layout.some(({ result }) => result === "bad")) return { layout, models, carried };
  for (const root of carried.roots) {
    models.push(await verifyCarriedModel({ carried, root, trust, temporary, now: Date.now() }));
  }
  return { layout, models, carried };
}

/** The layout's folder; that of a tar is unpacked first, and refused as a whole for anything in it that is wrong. */
async function opened(
  path: string,
  temporary: string,
  say: (check: CarrierCheck) => void,
): Promise<string | undefined> {
  if ((await stat(path)).isDirectory()) return path;
  const dir = join(temporary, "layout");
  try {
    await unpackCarrier(path, dir);
    return dir;
  } catch (error) {
    if (!(error instanceof OciError) || error.code === "storage-full" || error.code === "storage-failed") throw error;
    say({ name: "layout", about: path, result: "bad", reason: error.message });
    return undefined;
  }
}

async function takeAll(
  terminal: Terminal,
  { carried, models }: Found,
  { dir }: Options,
  client: PlaneClient | undefined,
): Promise<readonly TakenModel[]> {
  if (carried === undefined) throw usageError("there is nothing to take in");
  const into = async (plane: PlaneClient) => {
    const taken: TakenModel[] = [];
    for (const model of models) {
      if (model.repository !== null) taken.push(await takeIn(plane, carried, model));
      else say(terminal, `${model.manifest} is left out: nothing proven says of which repository it is`);
    }
    return taken;
  };
  if (client !== undefined) return into(client);
  if (dir === undefined) throw new CliError(exitCodes.usage, "no plane is named");
  await using folder = await openPlaneFolder(resolve(terminal.cwd, dir));
  return await into(folder.client);
}

function refusedIn(taken: readonly TakenModel[] | null): boolean {
  return taken?.some(({ statements }) => statements.some(({ result }) => result === "refused")) ?? false;
}

function sayWhat(terminal: Terminal, { check }: Options, taken: readonly TakenModel[] | null): void {
  if (taken === null) {
    say(terminal, check === true ? "nothing was taken in: --check" : "nothing was taken in");
    return;
  }
  say(terminal, `${counted(taken.length, "model")} taken in`);
  if (!refusedIn(taken)) return;
  say(terminal, "this plane decides for itself whose statements it takes: `tally identity add`, then import again");
}
