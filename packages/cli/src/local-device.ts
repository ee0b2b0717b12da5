import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readConfig } from "@tally/edge";
import { openForReading } from "@tally/ledger";

/** How the device of a folder stands, read from beside it: also while its agent runs. */
export interface LocalDevice {
  readonly origin: string;
  readonly url: string;
  readonly release: string;
  readonly capture: string;
  /** Entries in the ledger. */
  readonly size: number;
  readonly sealed: number;
  /** Entries that the plane held after the last sync. */
  readonly mirrored: number;
  /** Milliseconds by this machine's clock. */
  readonly lastSync: number | null;
  readonly blocked?: string;
}

/** Whether the folder is a device's. */
export async function isDevice(dir: string): Promise<boolean> {
  return (await readJson(join(dir, "state", "device.json"))) !== undefined;
}

/** Reads without the folder's lock, and writes nothing. @throws LedgerError, EdgeError for a folder that is damaged */
export async function localDevice(dir: string): Promise<LocalDevice> {
  const { url, release, capture } = await readConfig(join(dir, "config.json"));
  const { log, latest } = await openForReading(join(dir, "journal"));
  const sync = (await readJson(join(dir, "state", "sync.json"))) ?? {};
  try {
    return {
      origin: log.origin,
      url,
      release,
      capture,
      size: log.size,
      sealed: latest?.checkpoint.size ?? 0,
      mirrored: typeof sync.mirrored === "number" ? sync.mirrored : 0,
      lastSync: typeof sync.at === "number" ? sync.at : null,
      ...(typeof sync.blocked === "string" && { blocked: sync.blocked }),
    };
  } finally {
    await log.close();
  }
}

async function readJson(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Readonly<Record<string, unknown>>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
