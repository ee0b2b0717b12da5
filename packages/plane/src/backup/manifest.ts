import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PlaneError } from "../error.ts";

/** Written last: a folder without it is no whole backup. */
export const manifestFile = "backup.json";
/** A JSON object a line: every file of the backup. */
export const listFile = "files.jsonl";
/** Under it lie the files by their paths in the plane's folder. */
export const contentFolder = "plane";

const format = "tally-backup/v1";

/** What a backup holds. */
export interface BackupManifest {
  readonly format: typeof format;
  readonly plane: string;
  /** Milliseconds since 1970: when it was begun. What was acknowledged before is in it. */
  readonly at: number;
  /** Whether the plane's private keys and its first administrator's token are in it. */
  readonly keys: boolean;
  /** Entries of the plane's two logs, and the sizes of the newest checkpoints signed over them. */
  readonly logs: Readonly<Record<"log" | "fleet", { readonly size: number; readonly signed: number }>>;
  /** Mirrored ledgers. */
  readonly ledgers: number;
  readonly files: number;
  readonly bytes: number;
  /** SHA-256 of the list of files, in hexadecimal. */
  readonly list: string;
}

/** A line of the list. */
export interface BackedUpFile {
  /** With slashes, beneath the content folder. */
  readonly path: string;
  readonly size: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

export function manifestOf(fields: Omit<BackupManifest, "format">): BackupManifest {
  return { format, ...fields };
}

/** @throws PlaneError `configuration` for a folder that is no whole backup. */
export async function readManifest(dir: string): Promise<BackupManifest> {
  const text = await readFile(join(dir, manifestFile), "utf8").catch(() => undefined);
  if (text === undefined) {
    throw new PlaneError("configuration", `${dir} is no whole backup: it has no ${manifestFile}`, {
      hint: "take another one: `tally backup`",
    });
  }
  const manifest = parse(text) as Partial<BackupManifest> | undefined;
  if (manifest?.format === format && typeof manifest.list === "string") return manifest as BackupManifest;
  throw new PlaneError("configuration", `${join(dir, manifestFile)} does not say ${format}`, {
    hint: "restore it with the version of Tally that wrote it, or a later one",
  });
}

/** @throws PlaneError `configuration` for a line that names no file beneath the plane's folder. */
export function parseListed(line: string): BackedUpFile {
  const { path, size, sha256 } = (parse(line) ?? {}) as Partial<BackedUpFile>;
  const parts = typeof path === "string" ? path.split("/") : [""];
  const beneath = parts.every((part) => part !== "" && part !== "." && part !== ".." && !/[\\\0]/.test(part));
  if (beneath && Number.isSafeInteger(size) && /^[0-9a-f]{64}$/.test(sha256 ?? "")) {
    return { path: path!, size: size!, sha256: sha256! };
  }
  throw new PlaneError("configuration", `${listFile} of the backup has a line that is none: ${line.slice(0, 100)}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
