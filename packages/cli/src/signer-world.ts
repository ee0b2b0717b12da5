import type { Trust } from "@tally/evidence";
import { keysByTrustFile, readPeopleKeys } from "./people-keys.ts";
import { connect, type PlaneFlags } from "./plane-client.ts";
import type { SignerWorld } from "./signer-checks.ts";
import { CliError, exitCodes, settings, type Terminal } from "./terminal/index.ts";

/**
 * What signatures are judged by where a command does without a plane too: the trust file, and the logs of the plane that is set, if it
 * answers. Without them times and revocations are not known, and that is said.
 */
export async function signerWorld(
  terminal: Terminal,
  flags: PlaneFlags,
  trust: Trust,
): Promise<Required<Pick<SignerWorld, "trust" | "people">> & SignerWorld> {
  const { url } = await settings(terminal, flags);
  if (url.value === undefined) return { trust, people: keysByTrustFile(trust, "no plane is set whose logs would say") };
  const client = await connect(terminal, flags);
  try {
    return { trust, client, people: await readPeopleKeys(client, trust) };
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== exitCodes.unreachable) throw error;
    return { trust, people: keysByTrustFile(trust, error.message) };
  }
}
