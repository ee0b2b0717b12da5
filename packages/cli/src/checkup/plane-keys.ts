import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseCheckpoint, parseTrust, verifyNote } from "@tally/evidence";
import { boundedBody, most } from "../bounded-body.ts";
import type { Terminal } from "../terminal/index.ts";
import { bad, type Finding, good } from "./finding.ts";

const timeoutMs = 5_000;

/**
 * Whether the plane at the URL is the one that the trust file is about. Made only where both are there and the plane gives
 * out its checkpoint; what else may be wrong with either is another finding.
 */
export async function checkPlaneKeys(
  { cwd }: Terminal,
  settings: {
    readonly url: string | undefined;
    readonly token: string | undefined;
    readonly trust: string | undefined;
  },
): Promise<readonly Finding[]> {
  const name = "plane keys";
  const { url, token, trust: file } = settings;
  if (url === undefined || token === undefined || file === undefined) return [];
  const note = await newestNote(url, token).catch(() => undefined);
  const trust = await readFile(resolve(cwd, file))
    .then(parseTrust)
    .catch(() => undefined);
  if (note === undefined || trust === undefined) return [];
  const { plane } = trust;
  const next = "get the trust file of this plane from its operator, or give the URL of the right one";
  try {
    const { checkpoint, note: signed } = parseCheckpoint(note);
    const signatures = verifyNote(signed, plane.log);
    const all = plane.log.every((key) => signatures.some(({ key: signer }) => signer === key));
    if (!all) return [bad(name, `${checkpoint.origin} at ${url} is not signed as the trust file asks`, next)];
    return [good(name, `${checkpoint.origin} is signed with the trust file's keys`)];
  } catch {
    return [bad(name, `the checkpoint of ${url} is not one of ${plane.name} as the trust file knows it`, next)];
  }
}

async function newestNote(url: string, token: string): Promise<Uint8Array | undefined> {
  const response = await fetch(`${url.replace(/\/+$/, "")}/log/checkpoint`, {
    headers: { authorization: `Bearer ${token}` },
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
  });
  return response.ok ? boundedBody(response, most.words) : undefined;
}
