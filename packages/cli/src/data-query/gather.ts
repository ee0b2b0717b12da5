import type { Digest, SegmentItem } from "@tally/evidence";
import type { RegistryClient } from "@tally/oci";
import type { Admission } from "../fleet-log.ts";
import { openVerified } from "../open-segments.ts";
import { CliError, exitCodes } from "../terminal/index.ts";
import type { Gathered } from "./gathered.ts";

export interface GatherOptions {
  readonly source: RegistryClient;
  readonly model: Digest;
  /** All that belong to the set now. What was gathered before and is not among them is dropped. */
  readonly items: readonly SegmentItem[];
  readonly fleet: ReadonlyMap<string, Admission> | undefined;
  /** Told after each segment how many of them are there. */
  readonly onProgress?: (done: number, of: number) => void;
}

/** Segments fetched at a time: enough that fetching one and verifying another overlap. */
const atOnce = 4;

/**
 * Pulls and verifies the segments that are not there yet, a few at a time, and keeps each whole. After an error what was kept
 * stays, and the next call goes on from it.
 *
 * @throws what `openVerified` throws, for the first segment that is not accepted; CliError verification failed where two
 * segments hold different records under one index of a ledger
 */
export async function gather(gathered: Gathered, options: GatherOptions): Promise<void> {
  const { source, model, items, fleet, onProgress = () => {} } = options;
  const before = await gathered.manifests();
  const wanted = new Set<string>(items.map(({ manifest }) => manifest));
  await gathered.drop([...before].filter((manifest) => !wanted.has(manifest)));
  const missing = [...new Map(items.map((item) => [item.manifest, item])).values()].filter(
    ({ manifest }) => !before.has(manifest),
  );
  let done = wanted.size - missing.length;
  let failed = false;
  const rest = missing.values();
  const worker = async () => {
    for (const item of rest) {
      if (failed) return;
      try {
        await gathered.add(item.manifest, await openVerified({ source, model }, item, fleet), model);
      } catch (error) {
        failed = true;
        throw error;
      }
      done += 1;
      onProgress(done, wanted.size);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  for (const result of ended) if (result.status === "rejected") throw result.reason;
  const contradiction = await gathered.contradiction();
  if (contradiction === undefined) return;
  const { origin, index } = contradiction;
  throw new CliError(
    exitCodes.verificationFailed,
    `two segments hold different records as entry ${index} of ${origin}`,
    {
      hint: "the device has signed two histories; tell the operator of the plane",
    },
  );
}
