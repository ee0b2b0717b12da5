import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CliError, exitCodes } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** Settings that several commands share, and where each was found. Flags come first, then TALLY_*, then config.json. */
export const settingNames = ["dir", "url", "token", "trust"] as const;
export type SettingName = (typeof settingNames)[number];

export interface Setting {
  readonly name: SettingName;
  readonly value: string | undefined;
  /** "--url", "TALLY_URL", "/path/config.json", "default" or "not set". */
  readonly from: string;
}

export type Flags = Partial<Record<SettingName, string | undefined>>;

const defaults: Partial<Record<SettingName, string>> = { dir: ".tally" };

/** Finds every setting. @throws CliError usage for a config.json that is not JSON or holds anything else than text. */
export async function settings(terminal: Terminal, flags: Flags): Promise<Readonly<Record<SettingName, Setting>>> {
  const dir = find("dir", terminal, flags, undefined, "");
  const folder = resolve(terminal.cwd, dir.value ?? ".");
  const path = join(folder, "config.json");
  const config = await readConfig(path);
  const all = settingNames.map((name): [SettingName, Setting] => [
    name,
    name === "dir" ? { ...dir, value: folder } : find(name, terminal, flags, config, path),
  ]);
  return Object.fromEntries(all) as Record<SettingName, Setting>;
}

const words: Readonly<Record<SettingName, string>> = {
  dir: "folder",
  url: "URL of a plane",
  token: "token",
  trust: "trust file",
};

/** The value of a setting that a command cannot do without. */
export function required(setting: Setting): string {
  if (setting.value !== undefined) return setting.value;
  throw new CliError(exitCodes.usage, `no ${words[setting.name]} is set`, {
    hint: `give --${setting.name}, or set TALLY_${setting.name.toUpperCase()}; \`tally env\` shows what holds`,
  });
}

function find(
  name: SettingName,
  terminal: Terminal,
  flags: Flags,
  config: Readonly<Record<string, string>> | undefined,
  path: string,
): Setting {
  const variable = `TALLY_${name.toUpperCase()}`;
  const flag = flags[name];
  if (flag !== undefined) return { name, value: flag, from: `--${name}` };
  const fromEnvironment = terminal.env[variable];
  if (fromEnvironment !== undefined && fromEnvironment !== "") return { name, value: fromEnvironment, from: variable };
  if (config?.[name] !== undefined) return { name, value: config[name], from: path };
  const fallback = defaults[name];
  return { name, value: fallback, from: fallback === undefined ? "not set" : "default" };
}

async function readConfig(path: string): Promise<Readonly<Record<string, string>> | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("it is not an object");
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
  } catch (cause) {
    throw new CliError(exitCodes.usage, `${path} is not a JSON object: ${(cause as Error).message}`, {
      cause,
      hint: "mend or remove the file",
    });
  }
}
