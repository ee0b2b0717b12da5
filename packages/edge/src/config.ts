import { EdgeError } from "./error.ts";
import { readIfPresent, writeDurably } from "./folder/durable-file.ts";
import { asCount, asObject, asOneOf, asText, parseObject } from "./folder/json.ts";
import type { CaptureRule } from "./recorder/capture-rule.ts";
import { parseRecipients, type Recipient } from "./segments/recipients.ts";

/** What must be true before an output leaves the device (evidence.md 1). */
export const releaseModes = ["immediate", "committed", "sealed"] as const;
export type ReleaseMode = (typeof releaseModes)[number];

/** Whether inputs and outputs are kept for segments: none, all, or those that `captureWhen` describes. */
export const captureModes = ["none", "full", "matching"] as const;
export type CaptureMode = (typeof captureModes)[number];

/** What a sync brings: heads and entries, or heads alone, and entries when they are asked for. */
export const syncModes = ["entries", "heads-only"] as const;
export type SyncMode = (typeof syncModes)[number];

/** How a device behaves, as config.json in its folder says and its operator may change. */
export interface DeviceConfig {
  /** Base URL of the plane. */
  readonly url: string;
  /** Default `committed`. */
  readonly release: ReleaseMode;
  /** Default `none`. */
  readonly capture: CaptureMode;
  /** With `matching`: which. Entries then commit to whether they were captured, which would tell of the output. */
  readonly captureWhen: CaptureRule | null;
  /** Bytes of payloads kept before capturing pauses. Default 256 MiB. */
  readonly captureLimitBytes: number;
  /** To whom segments are encrypted; in the clear where there is nobody. Default none. */
  readonly recipients: readonly Recipient[];
  /** Entries after which the ledger is signed without anyone asking. Default 4,096. */
  readonly sealEveryEntries: number;
  /** Default `entries`. */
  readonly sync: SyncMode;
  /** How often the agent syncs, in milliseconds. Default 60,000. */
  readonly syncEveryMs: number;
  /** How often a sync of the agent anchors a ledger in which nothing was recorded, in milliseconds. Default 3,600,000. */
  readonly anchorEveryMs: number;
}

/** What a caller sets for this run, above environment and file. */
export type ConfigOverrides = Partial<DeviceConfig>;

const defaults = {
  release: "committed",
  capture: "none",
  captureWhen: null,
  captureLimitBytes: 256 * 1024 * 1024,
  recipients: [] as readonly Recipient[],
  sealEveryEntries: 4096,
  sync: "entries",
  syncEveryMs: 60_000,
  anchorEveryMs: 3_600_000,
} as const satisfies Omit<DeviceConfig, "url">;

const names = ["url", ...Object.keys(defaults)];

/**
 * Reads config.json; `TALLY_URL`, `TALLY_RELEASE`, `TALLY_CAPTURE`, `TALLY_SYNC` and `TALLY_SYNC_MS` stand above it, `overrides` above both.
 *
 * @throws EdgeError `not-enrolled` where there is no file, `config-invalid` naming the setting that is wrong.
 */
export async function readConfig(
  path: string,
  overrides: ConfigOverrides = {},
  environment: NodeJS.ProcessEnv = process.env,
): Promise<DeviceConfig> {
  const bytes = await readIfPresent(path);
  if (bytes === undefined) {
    throw new EdgeError("not-enrolled", `${path} does not exist`, { hint: "enrol the device: tally device enroll" });
  }
  const file = parseObject(new TextDecoder().decode(bytes), path, "config-invalid");
  for (const name of Object.keys(file)) {
    if (!names.includes(name)) {
      throw new EdgeError("config-invalid", `${path}: unknown setting ${name}`, { hint: `known: ${names.join(", ")}` });
    }
  }
  const syncMs = environment.TALLY_SYNC_MS;
  return parseConfig({
    ...defaults,
    ...file,
    ...present({
      url: environment.TALLY_URL,
      release: environment.TALLY_RELEASE,
      capture: environment.TALLY_CAPTURE,
      sync: environment.TALLY_SYNC,
      syncEveryMs: syncMs === undefined ? undefined : Number(syncMs),
    }),
    ...present(overrides),
  });
}

/** All settings, those that are left out with their defaults. @throws EdgeError `config-invalid` */
export function completeConfig(config: { readonly url: string } & ConfigOverrides): DeviceConfig {
  return parseConfig({ ...defaults, ...present(config) });
}

/** Writes the settings that differ from the defaults. */
export function writeConfig(path: string, config: { readonly url: string } & ConfigOverrides): Promise<void> {
  const parsed = completeConfig(config);
  const chosen = Object.entries(parsed).filter(
    ([name, value]) => JSON.stringify((defaults as Record<string, unknown>)[name]) !== JSON.stringify(value),
  );
  return writeDurably(path, `${JSON.stringify(Object.fromEntries(chosen), null, 2)}\n`);
}

function parseConfig(value: Readonly<Record<string, unknown>>): DeviceConfig {
  const code = "config-invalid";
  const capture = asOneOf(value.capture, captureModes, "capture", code);
  const captureWhen = value.captureWhen === null ? null : readRule(value.captureWhen);
  if (capture === "matching" && captureWhen === null) {
    throw new EdgeError(code, "capture is matching, and captureWhen does not say what", {
      hint: 'write "captureWhen": {"output": "probability", "from": 0.4, "to": 0.6}',
    });
  }
  return Object.freeze({
    url: planeUrl(asText(value.url, "url", code)),
    release: asOneOf(value.release, releaseModes, "release", code),
    capture,
    captureWhen,
    captureLimitBytes: asCount(value.captureLimitBytes, "captureLimitBytes", code),
    recipients: parseRecipients(value.recipients),
    sealEveryEntries: asCount(value.sealEveryEntries, "sealEveryEntries", code, 1),
    sync: asOneOf(value.sync, syncModes, "sync", code),
    syncEveryMs: asCount(value.syncEveryMs, "syncEveryMs", code, 100),
    anchorEveryMs: asCount(value.anchorEveryMs, "anchorEveryMs", code),
  });
}

function readRule(value: unknown): CaptureRule {
  const code = "config-invalid";
  const { output, from, to, ...others } = asObject(value, "captureWhen", code);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new EdgeError(code, `captureWhen: unknown member ${unknown}`);
  for (const [name, bound] of Object.entries({ from, to })) {
    if (bound !== undefined && !Number.isFinite(bound)) throw new EdgeError(code, `captureWhen.${name} is no number`);
  }
  return Object.freeze({
    output: asText(output, "captureWhen.output", code),
    ...(from !== undefined && { from: from as number }),
    ...(to !== undefined && { to: to as number }),
  });
}

/** An http or https URL without a slash at its end. */
export function planeUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new EdgeError("config-invalid", `${text} is not the URL of a plane`, { hint: "write http://host:port" });
  }
  return url.href.replace(/\/+$/, "");
}

function present<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
