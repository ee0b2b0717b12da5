import { CliError, exitCodes } from "./terminal/index.ts";

/** What fits into memory beside everything else. A plane's own answers are far below. */
export const most = { json: 256 * 1024 * 1024, file: 1024 * 1024 * 1024, line: 1024 * 1024, words: 64 * 1024 };

/**
 * A body in memory, as far as a stranger may fill that: what calls itself a plane can send without end.
 *
 * @throws CliError unexpected beyond `max` bytes
 */
export async function boundedBody(response: Response, max: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    // Leaving early lets go of the connection.
    if (size > max) throw tooMuch(response.url, max);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks, size));
}

export function tooMuch(url: string, max: number): CliError {
  return new CliError(exitCodes.unexpected, `what answers ${url.split("?")[0]} sends more than ${max} bytes`, {
    hint: "check that the URL is a plane's; ask for less if it is",
  });
}
