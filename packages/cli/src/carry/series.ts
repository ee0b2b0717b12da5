import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { type Delivery, type Digest, isDigest } from "@tally/evidence";
import { usageError } from "../terminal/index.ts";

const format = "tally-series/v1";

/**
 * The place of the next export among those that went to one receiver: after the last that its file remembers, or the first of a
 * new series where there is no such file yet.
 *
 * @throws CliError usage for a file that is something else
 */
export async function nextInSeries(path: string): Promise<Delivery> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return { series: randomBytes(16).toString("hex"), number: 1 };
  try {
    const last = JSON.parse(text) as { format?: unknown; series?: unknown; number?: unknown; inventory?: unknown };
    const { series, number, inventory } = last;
    const isRead = last.format === format && typeof series === "string" && /^[0-9a-f]{32}$/.test(series);
    if (isRead && typeof inventory === "string" && isDigest(inventory) && Number.isSafeInteger(number)) {
      return { series, number: (number as number) + 1, previous: inventory };
    }
  } catch {}
  throw usageError(`${path} is no series of exports`, "name the file that --series made, or one that is not there yet");
}

/**
 * Remembers an export as the last of its series. It is done before the export has its name: one that then fails leaves a number
 * that never went out, where the other order could give two exports one number.
 */
export async function rememberInSeries(path: string, { series, number }: Delivery, inventory: Digest): Promise<void> {
  const temporary = `${path}.part`;
  await writeFile(temporary, `${JSON.stringify({ format, series, number, inventory }, null, 2)}\n`, { flush: true });
  await rename(temporary, path);
}
