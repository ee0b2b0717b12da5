import { parsePolicy, parseVkey, type WitnessPolicy } from "@tally/evidence";
import { PlaneError } from "../error.ts";

/** A witness of the plane's log, and the submission prefix where it takes checkpoints. */
export interface WitnessAddress {
  readonly vkey: string;
  readonly url: string;
}

export interface PlaneWitnesses {
  /** C2SP tlog-policy text, as the trust file carries it. */
  readonly policyText: string;
  readonly policy: WitnessPolicy;
  /** Where to submit, each once. */
  readonly urls: readonly string[];
}

/**
 * Reads the witnesses: policy text whose witness lines carry URLs, or a list, all of which must then cosign.
 *
 * @throws PlaneError `configuration`
 */
export function readWitnesses(witnesses: string | readonly WitnessAddress[]): PlaneWitnesses {
  const policyText = typeof witnesses === "string" ? witnesses : policyOfAll(witnesses);
  let policy: WitnessPolicy;
  try {
    policy = parsePolicy(policyText);
  } catch (cause) {
    throw new PlaneError("configuration", (cause as Error).message, { cause });
  }
  const urls = new Set<string>();
  for (const [name, { url }] of policy.witnesses) {
    if (url === undefined) {
      throw new PlaneError("configuration", `the witness ${name} has no URL in the policy`, {
        hint: "write: witness <name> <vkey> <url>",
      });
    }
    urls.add(url);
  }
  return Object.freeze({ policyText, policy, urls: [...urls] });
}

function policyOfAll(witnesses: readonly WitnessAddress[]): string {
  if (witnesses.length === 0) return "quorum none\n";
  const names = new Set<string>();
  const lines = witnesses.map(({ vkey, url }) => {
    const base = nameOf(vkey);
    // One witness may give two keys, one for each algorithm; the policy names each.
    let name = base;
    for (let n = 2; names.has(name); n += 1) name = `${base}#${n}`;
    names.add(name);
    return `witness ${name} ${vkey} ${url}\n`;
  });
  const [only, ...more] = names;
  if (more.length === 0) return `${lines.join("")}quorum ${only}\n`;
  return `${lines.join("")}group all-of-them all ${[...names].join(" ")}\nquorum all-of-them\n`;
}

function nameOf(vkey: string): string {
  try {
    return parseVkey(vkey).name;
  } catch (cause) {
    throw new PlaneError("configuration", (cause as Error).message, { cause });
  }
}
