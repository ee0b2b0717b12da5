import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Trust } from "@tally/evidence";
import { type CarrierCheck, inspectCarrier, OciError, unpackCarrier } from "@tally/oci";
import { type CheckedInventory, checkInventory, checkRevocation, isInventory } from "../carry/check-inventory.ts";
import { keepDelivery, standingOf, type TakenDelivery } from "../carry/deliveries.ts";
import { importFolder } from "../carry/import-folder.ts";
import { type ImportReport, outcomeOf, reportJsonOf, reportLinesOf, takenLines } from "../carry/import-lines.ts";
import { openPlaneFolder, planeNameIn } from "../carry/plane-in-folder.ts";
import { type TakenModel, takeIn } from "../carry/take-in.ts";
import type { VerifyCarried } from "../carry/verify-carried.ts";
import { type CarriedModel, verifyCarriedModel } from "../carry/verify-model.ts";
import { collect, withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { CliError, counted, exitCodes, print, say, type Terminal, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";
import { readIdentities } from "../verify-folder.ts";

interface Options extends PlaneFlags {
  readonly trust?: string;
  readonly dir?: string;
  readonly check?: boolean;
  readonly evenUnproven?: boolean;
  readonly identity?: readonly string[];
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
    )
    .option("--identity <file>", "age identity of a recipient, to verify encrypted segments (repeatable)", collect);
  withJson(withPlane(command)).action(async (layout: string, options: Options) => {
    const trust = await readTrustFile(terminal, options);
    const identities = await readIdentities(terminal, options.identity);
    // What is wrong with the place to take it is said before the long part.
    const client = options.check === true || options.dir !== undefined ? undefined : await connect(terminal, options);
    if (options.check !== true && options.dir !== undefined) await planeNameIn(resolve(terminal.cwd, options.dir));
    await using folder = await importFolder();
    const found = await lookAt(resolve(terminal.cwd, layout), { trust, temporary: folder.path, identities });
    const outcome = outcomeOf(found);
    const isTaken = options.check !== true && mayTake(outcome, options);
    if (!options.json) for (const line of reportLinesOf(found)) print(terminal, false, line, () => [line]);
    const { taken, delivery } = isTaken ? await takeAll(terminal, found, trust, options, client) : nothing;
    if (options.json) print(terminal, true, reportJsonOf(found, taken, delivery), () => []);
    else if (taken !== null) print(terminal, false, taken, () => ["", ...takenLines(taken)]);
    sayWhat(terminal, options, taken, delivery);
    if (delivery?.standing === "contradicts") finish(exitCodes.verificationFailed);
    else finish(outcome === exitCodes.good && refusedIn(taken) ? exitCodes.denied : outcome);
  });
};

function mayTake(outcome: number, { evenUnproven }: Options): boolean {
  return outcome === exitCodes.good || (outcome === exitCodes.notProven && evenUnproven === true);
}

type LookedAt = Pick<VerifyCarried, "trust" | "temporary" | "identities">;

async function lookAt(path: string, how: LookedAt): Promise<Found> {
  const layout: CarrierCheck[] = [];
  const say = (check: CarrierCheck) => void layout.push(check);
  const now = Date.now();
  const dir = await opened(path, how.temporary, say);
  const carried = dir === undefined ? undefined : await inspectCarrier(dir, say);
  const inventory = carried && (await checkInventory(carried, how.trust, now));
  const models: CarriedModel[] = [];
  // What is not what its digest says is not looked into; what is missing is named all the same.
  if (carried === undefined || inventory === undefined || layout.some(({ result }) => result === "bad"))
    return { layout, inventory, models, carried };
  const namesAreSigned = inventory.inventory !== undefined && inventory.checks.every(({ result }) => result !== "bad");
  for (const root of carried.roots) {
    if (!isInventory(root)) models.push(await verifyCarriedModel({ ...how, carried, root, namesAreSigned, now }));
  }
  const asked = withoutBases(models);
  const revoked = checkRevocation(
    inventory,
    asked.flatMap(({ evidence }) => evidence),
    how.trust,
  );
  const checked: CheckedInventory = { ...inventory, checks: [...inventory.checks, ...(revoked ? [revoked] : [])] };
  return { layout, inventory: checked, models: asked, carried };
}

/** A base that came without evidence of its own is what the models on it make of it; with evidence it is a model as well. */
function withoutBases(models: readonly CarriedModel[]): readonly CarriedModel[] {
  const bases = new Set(models.flatMap((model) => model.bases.map(({ manifest }) => manifest)));
  return models.filter(({ manifest, evidence }) => evidence.length > 0 || !bases.has(manifest));
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

interface Taken {
  readonly taken: readonly TakenModel[] | null;
  readonly delivery: TakenDelivery | null;
}

const nothing: Taken = { taken: null, delivery: null };

async function takeAll(
  terminal: Terminal,
  { carried, models, inventory }: Found,
  trust: Trust,
  { dir }: Options,
  client: PlaneClient | undefined,
): Promise<Taken> {
  if (carried === undefined || inventory === undefined) throw usageError("there is nothing to take in");
  const into = async (plane: PlaneClient): Promise<Taken> => {
    const delivery = (await standingOf(plane, inventory, trust)) ?? null;
    if (delivery?.standing === "contradicts") return { taken: null, delivery };
    const taken: TakenModel[] = [];
    for (const model of models) {
      if (model.repository !== null) taken.push(await takeIn(plane, carried, model));
      else say(terminal, `${model.manifest} is left out: nothing proven says of which repository it is`);
    }
    await keepDelivery(plane, carried, inventory);
    return { taken, delivery };
  };
  if (client !== undefined) return into(client);
  if (dir === undefined) throw new CliError(exitCodes.usage, "no plane is named");
  await using folder = await openPlaneFolder(resolve(terminal.cwd, dir));
  return await into(folder.client);
}

function refusedIn(taken: readonly TakenModel[] | null): boolean {
  return taken?.some(({ statements }) => statements.some(({ result }) => result === "refused")) ?? false;
}

function sayWhat(
  terminal: Terminal,
  { check }: Options,
  taken: readonly TakenModel[] | null,
  delivery: TakenDelivery | null,
): void {
  if (delivery !== null) say(terminal, `delivery ${delivery.number}: ${delivery.reason}`);
  if (taken === null) {
    say(terminal, check === true ? "nothing was taken in: --check" : "nothing was taken in");
    return;
  }
  say(terminal, `${counted(taken.length, "model")} taken in`);
  if (!refusedIn(taken)) return;
  say(terminal, "this plane decides for itself whose statements it takes: `tally identity add`, then import again");
}
