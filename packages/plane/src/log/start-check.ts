import { type Checkpoint, emptyRoot, type NoteSigner, signCheckpoint } from "@tally/evidence";
import type { Ledger } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import { contradicts, describeOpinions, type Opinions, unaccounted } from "./witness-opinion.ts";
import type { Witnesses } from "./witnesses.ts";

/** A log of the plane, and what it signs with. */
export interface OwnLog {
  readonly ledger: Ledger;
  readonly signers: readonly NoteSigner[];
}

/**
 * Before its first signature after a start the plane shows its newest checkpoint of each log to its witnesses (evidence.md 2).
 * Returns when no checkpoint beyond ours can have been published; signing then forks nothing.
 *
 * @throws PlaneError `refuses-to-sign` when a witness that counts holds more, or another tree: this folder is an old copy, or
 *   the witness lies; `not-ready` while too few have answered to tell.
 */
export async function askWitnessesFirst(logs: readonly OwnLog[], witnesses: Witnesses): Promise<void> {
  if (!witnesses.any) return;
  for (const log of logs) {
    const { opinions } = await witnesses.cosign(log.ledger, await shown(log));
    const names = unaccounted(witnesses.policy, opinions, witnesses.ignored);
    if (names !== undefined) throw refusal(log.ledger.origin, names, opinions);
  }
}

/** The newest checkpoint; of a log that has none the empty one, which every history begins with. */
async function shown({ ledger, signers }: OwnLog): Promise<{ checkpoint: Checkpoint; note: string }> {
  if (ledger.latest !== undefined) return ledger.latest;
  const checkpoint = { origin: ledger.origin, size: 0, root: emptyRoot };
  return { checkpoint, note: await signCheckpoint(checkpoint, signers, 0) };
}

/** What to tell the operator: who said what, and which ways there are. */
export function refusal(origin: string, names: readonly string[], opinions: Opinions): PlaneError {
  const said = describeOpinions(names, opinions);
  if (!names.some((name) => contradicts(opinions.get(name) ?? { kind: "silent", message: "" }))) {
    return new PlaneError("not-ready", `too few witnesses have answered about ${origin} to sign it: ${said}`, {
      hint: "start them; a witness that is gone for good can be left out with --insecure-ignore-witness NAME",
    });
  }
  return new PlaneError("refuses-to-sign", `witnesses contradict this folder about ${origin}: ${said}`, {
    hint:
      "the folder is an older copy, or a second plane has its keys: restore the newest backup, stop the other plane; " +
      "if the witness itself is known to be wrong, start with --insecure-ignore-witness NAME",
  });
}
