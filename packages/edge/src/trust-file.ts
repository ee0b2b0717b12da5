import { parseTrust, type Trust } from "@tally/evidence";
import { EdgeError, messageOf } from "./error.ts";
import { readIfPresent } from "./folder/durable-file.ts";

/**
 * Reads the trust file: all that this device believes without proof.
 *
 * @throws EdgeError `trust-invalid`, also where there is none: a device without one would believe any plane.
 */
export async function readTrust(path: string): Promise<Trust> {
  const bytes = await readIfPresent(path);
  if (bytes === undefined) {
    throw new EdgeError("trust-invalid", `the trust file ${path} does not exist`, {
      hint: "get it from your operator by a way that you trust, not from the plane",
    });
  }
  try {
    return parseTrust(bytes);
  } catch (cause) {
    throw new EdgeError("trust-invalid", `the trust file ${path} is not valid: ${messageOf(cause)}`, { cause });
  }
}
