import { type Digest, parseDigest } from "@tally/evidence";
import { type Command, InvalidArgumentError } from "commander";

/** Adds `--url` and `--token`: the plane that a command talks to. */
export function withPlane(command: Command): Command {
  return command
    .option("--url <url>", "the plane; TALLY_URL")
    .option("--token <token>", "access token; TALLY_TOKEN, where other users of this machine do not see it");
}

/** Adds `--json`. */
export function withJson(command: Command): Command {
  return command.option("--json", "print JSON");
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `15m`, `12h`, `30d` as seconds. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count === undefined || Number(count) === 0) throw new InvalidArgumentError("Write 90s, 15m, 12h or 30d.");
  return Number(count) * units[unit!]!;
}

const sizeUnits: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** `1000000`, `64MiB`, `1GiB` as bytes. */
export function parseSize(text: string): number {
  const [, count, unit = ""] = /^(\d{1,12})(KiB|MiB|GiB)?$/.exec(text) ?? [];
  const bytes = count === undefined ? 0 : Number(count) * sizeUnits[unit]!;
  if (!(bytes > 0 && Number.isSafeInteger(bytes))) throw new InvalidArgumentError("Write bytes, or 64MiB, or 1GiB.");
  return bytes;
}

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError("It is a number from 0 (any free port) to 65535.");
  return port;
}

export function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It is a whole number.");
  return Number(text);
}

export function parseDigestOption(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** `a,b` and repeated options alike. */
export function collectList(value: string, before: readonly string[] | undefined): readonly string[] {
  const items = value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  return [...(before ?? []), ...items];
}
