import { join } from "node:path";
import { sha256, toHex, utf8 } from "@tally/evidence";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { type ChannelAnswer, parseChannelAnswer } from "./channel-answer.ts";

/** The last answer about a channel that was taken: it bounds the next one from below and serves while offline. */
export interface KeptRelease {
  readonly answer: ChannelAnswer;
  /** The answer as the plane gave it. */
  readonly text: string;
}

export async function readRelease(stateFolder: string, channel: string): Promise<KeptRelease | undefined> {
  const bytes = await readIfPresent(releasePath(stateFolder, channel));
  if (bytes === undefined) return undefined;
  const text = new TextDecoder().decode(bytes);
  return { answer: parseChannelAnswer(text), text };
}

/** Call once the answer was verified. */
export function writeRelease(stateFolder: string, channel: string, text: string): Promise<void> {
  return writeDurably(releasePath(stateFolder, channel), text);
}

/** Channel names may hold slashes; the file's name is their hash. */
function releasePath(stateFolder: string, channel: string): string {
  return join(stateFolder, "channels", `${toHex(sha256(utf8(channel)))}.json`);
}
