import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { digestOf, parseTrust } from "@tally/evidence";
import type { Setting, Terminal } from "../terminal/index.ts";
import { bad, type Finding, good, notMade, wordsOf } from "./finding.ts";

/** Whether the trust file can be read, and what it asks for. */
export async function checkTrust({ cwd }: Terminal, { value, from }: Setting): Promise<Finding> {
  const name = "trust";
  if (value === undefined) return notMade(name, "no trust file is set: give --trust, or set TALLY_TRUST");
  try {
    const bytes = await readFile(resolve(cwd, value));
    const { plane, policy, identities, keyless } = parseTrust(bytes);
    if (policy.quorum === "none") {
      return bad(
        name,
        `${value} asks for no witness`,
        "times and completeness are then the plane's word; add a witness to its policy",
      );
    }
    return good(name, `${plane.name}, ${identities.length + keyless.length} identities, ${digestOf(bytes)}`);
  } catch (error) {
    return bad(name, `${value} (${from}) cannot be used: ${wordsOf(error)}`, "get it from the operator again");
  }
}
