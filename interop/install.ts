// Installs one program of the table by its language's ordinary client, within a limit.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { CommandFailed, run } from "./command.ts";
import { type Install, lastOutcome, type Outcome, outcomeFile, type Program, toolsFolder } from "./programs.ts";

/** What became of one row: `why` is there where the program is not. */
export interface Installed {
  readonly state: "there" | "installed" | "skipped";
  readonly why?: string;
}

/**
 * Puts a program into the tools folder unless this very version is there, and leaves a note of how it went.
 * One that was put there by hand, without such a note, stays as it is.
 */
export async function install(program: Program, milliseconds: number): Promise<Installed> {
  const { name } = program;
  const target = join(toolsFolder(), name);
  const last = lastOutcome(name);
  const same = JSON.stringify(last?.install) === JSON.stringify(program.install);
  if (existsSync(target) && (same || last === undefined)) return { state: "there" };
  await mkdir(dirname(outcomeFile(name)), { recursive: true });
  const work = await mkdtemp(join(toolsFolder(), `.${name}-`));
  let kept = false;
  try {
    if (milliseconds <= 0) throw new CommandFailed("build time");
    const made = await make(program.install, work, milliseconds);
    await rm(target, { force: true });
    if (made.startsWith(work) && program.install.by !== "pip") await rename(made, target);
    else {
      kept = made.startsWith(work);
      await symlink(made, target);
    }
    await note(name, { install: program.install });
    return { state: "installed" };
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    await note(name, { install: program.install, why: error.message });
    return { state: "skipped", why: error.message };
  } finally {
    if (!kept) await rm(work, { recursive: true, force: true });
  }
}

function note(name: string, outcome: Outcome): Promise<void> {
  return writeFile(outcomeFile(name), `${JSON.stringify(outcome)}\n`);
}

/** Where the program came to be: below `work`, or where the system keeps it. */
async function make(install: Install, work: string, milliseconds: number): Promise<string> {
  const deadline = Date.now() + milliseconds;
  const left = () => deadline - Date.now();
  switch (install.by) {
    case "go": {
      const [path = "", version = ""] = install.of.split("@");
      const flags = [...goFlags, ...(install.tags ? [`-tags=${install.tags}`] : [])];
      if (install.module === undefined) {
        await run("go", ["install", ...flags, install.of], left(), {
          env: { ...goEnv, ...install.env, GOBIN: work },
        });
        return join(work, programOf(path));
      }
      const module = join(work, "module");
      const inModule = { cwd: module, env: { ...goEnv, ...install.env } };
      await mkdir(module);
      await run("go", ["mod", "init", "tally.test/tool"], left(), inModule);
      await run("go", ["mod", "edit", `-require=${install.module}@${version}`], left(), inModule);
      await run("go", ["build", ...flags, "-o", join(work, "program"), path], left(), inModule);
      return join(work, "program");
    }
    case "go-main": {
      const cwd = join(import.meta.dirname, "go", install.of);
      const env = { ...goEnv, GOFLAGS: "-mod=readonly" };
      await run("go", ["build", ...goFlags, "-o", join(work, "program"), "."], left(), { cwd, env });
      return join(work, "program");
    }
    case "go-test": {
      const inModule = { cwd: work, env: goEnv };
      await run("go", ["mod", "init", "tally.test/suite"], left(), inModule);
      await run("go", ["get", "-t", `${install.of}@${install.version}`], left(), inModule);
      await run("go", ["test", "-c", ...goFlags, "-o", join(work, "suite"), install.of], left(), inModule);
      return join(work, "suite");
    }
    case "pip": {
      const venv = join(work, "venv");
      await run("python3", ["-m", "venv", venv], left());
      await run(join(venv, "bin", "pip"), ["install", "--quiet", "--disable-pip-version-check", ...install.of], left());
      return join(venv, "bin", install.run);
    }
    case "hand":
      throw new CommandFailed(install.why);
    case "apt": {
      const found = inSystem(install.file);
      if (found !== undefined) return found;
      if (process.getuid?.() !== 0) throw new CommandFailed(`apt-get install ${install.of.join(" ")} needs root`);
      const env = { DEBIAN_FRONTEND: "noninteractive" };
      await refreshed(left());
      const wait = ["-o", "DPkg::Lock::Timeout=120", "-y", "-qq", "--no-install-recommends"];
      await run("apt-get", ["install", ...wait, ...install.of], left(), { env });
      const now = inSystem(install.file);
      if (now === undefined) throw new CommandFailed(`${install.of.join(" ")} brought no ${install.file}`);
      return now;
    }
  }
}

/** What `go install` calls the program: a module's major version is no name, `…/tool/v3` is `tool`. */
function programOf(path: string): string {
  const parts = path.split("/");
  const last = parts.at(-1) ?? "";
  return /^v\d+$/.test(last) ? (parts.at(-2) ?? last) : last;
}

const goFlags = ["-trimpath", "-ldflags=-s -w"];
const goEnv = { CGO_ENABLED: "0", GOTOOLCHAIN: "auto", GOFLAGS: "-mod=mod", GOWORK: "off" };

function inSystem(file: string): string | undefined {
  if (isAbsolute(file)) return existsSync(file) ? file : undefined;
  const places = (process.env.PATH ?? "").split(delimiter).filter(isAbsolute);
  return places.map((place) => join(place, file)).find((path) => existsSync(path));
}

let lists: Promise<string> | undefined;

/** `apt-get update`, once a run. */
function refreshed(milliseconds: number): Promise<string> {
  lists ??= run("apt-get", ["update", "-qq"], milliseconds);
  return lists;
}
