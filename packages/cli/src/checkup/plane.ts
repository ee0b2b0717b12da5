import type { Readiness } from "@tally/evidence";
import { boundedBody, most } from "../bounded-body.ts";
import type { Setting } from "../terminal/index.ts";
import { bad, type Finding, good, notMade, wordsOf } from "./finding.ts";

const timeoutMs = 5_000;
/** Date headers have whole seconds, and an answer travels. */
const mostSkewSeconds = 5;

/**
 * Whether the plane answers, can prove what it answers, agrees on the time, and takes the token.
 *
 * @param withheld that there is a token, and it would travel unencrypted
 */
export async function checkPlane(
  { value, from }: Setting,
  token: string | undefined,
  withheld = false,
): Promise<readonly Finding[]> {
  if (value === undefined) return [notMade("plane", "no URL is set: give --url, or set TALLY_URL")];
  const url = value.replace(/\/+$/, "");
  const answered = await ask(`${url}/healthz`).catch((error: unknown) => error as Error);
  if (answered instanceof Error || !answered.ok) {
    const why = answered instanceof Error ? reasonOf(answered) : `status ${answered.status}`;
    return [bad("plane", `${url} (${from}) does not answer: ${why}`, "check that it runs, and the URL")];
  }
  return [good("plane", `${url} answers`), await ready(url), skew(answered), await access(url, token, withheld)];
}

async function ready(url: string): Promise<Finding> {
  try {
    const {
      ready: isReady,
      cosignedSize,
      witnesses,
      problem,
      hint,
    } = JSON.parse(new TextDecoder().decode(await boundedBody(await ask(`${url}/readyz`), most.words))) as Readiness;
    const silent = witnesses
      .filter(({ agrees }) => !agrees)
      .map(({ name, said }) => `${name}${said === undefined ? "" : ` (${said})`}`);
    if (!isReady) {
      return bad(
        "checkpoints",
        problem ?? "no checkpoint has met its witness quorum",
        hint ?? `start the witnesses${silent.length > 0 ? `: ${silent.join(", ")}` : ""}`,
      );
    }
    if (silent.length > 0)
      return bad(
        "checkpoints",
        `these witnesses do not cosign: ${silent.join(", ")}`,
        "start them, or ask who runs them",
      );
    const by =
      witnesses.length === 0
        ? "no witness is configured"
        : witnesses.length === 1
          ? "its witness agrees"
          : `its ${witnesses.length} witnesses agree`;
    return good("checkpoints", `cosigned up to ${cosignedSize} entries, ${by}`);
  } catch (error) {
    return bad("checkpoints", `the plane does not say how it stands: ${wordsOf(error)}`, "look at its log");
  }
}

function skew(response: Response): Finding {
  const theirs = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(theirs)) return notMade("clock", "the plane does not say its time");
  const seconds = Math.round(Math.abs(Date.now() - theirs) / 1000);
  if (seconds <= mostSkewSeconds) return good("clock", `within ${mostSkewSeconds} s of the plane's`);
  return bad(
    "clock",
    `${seconds} s from the plane's`,
    "set both by NTP; proofs do not rely on clocks, tokens and ages do",
  );
}

async function access(url: string, token: string | undefined, withheld: boolean): Promise<Finding> {
  if (withheld) return bad("token", `it would travel unencrypted to ${url}, and was not sent`, "use https");
  if (token === undefined) return notMade("token", "none is set: give --token, or set TALLY_TOKEN");
  const response = await ask(`${url}/api/v1/statements?subject=sha256:${"0".repeat(64)}`, {
    authorization: `Bearer ${token}`,
  });
  if (response.ok || response.status === 403) return good("token", "the plane takes it");
  return bad(
    "token",
    "the plane does not know it, or it has expired",
    "ask an administrator for another: `tally token create`",
  );
}

function ask(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
}

function reasonOf(error: Error): string {
  const { code, message } = (error.cause ?? error) as { code?: string; message?: string };
  return code ?? message ?? "no answer";
}
