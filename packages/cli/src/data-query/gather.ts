import { EdgeError } from "@tally/edge";
import type { Digest, SegmentItem } from "@tally/evidence";
import { type ArtifactSource, OciError } from "@tally/oci";
import type { Admission } from "../fleet-log.ts";
import { openVerified } from "../open-segments.ts";
import { CliError, exitCodes } from "../terminal/index.ts";
import type { Gathered } from "./gathered.ts";

export interface GatherOptions {
  readonly source: ArtifactSource;
  readonly model: Digest;
  /** All that belong to the set now. What was gathered before and is not among them is dropped. */
  readonly items: readonly SegmentItem[];
  readonly fleet: ReadonlyMap<string, Admission> | undefined;
  /** Age identities, for segments that are encrypted to whoever asks. */
  readonly identities?: readonly string[];
  /** Told of a segment that is not accepted; true leaves it out, where nobody but the registry says that it is one. */
  readonly onRefused?: (item: SegmentItem, error: Error) => boolean;
  /** Told after each segment how many of them are there. */
  readonly onProgress?: (done: number, of: number) => void;
}

/** Segments fetched at a time: enough that fetching one and verifying another overlap. */
const atOnce = 4;

/**
 * Pulls and verifies the segments that are not there yet, a few at a time, and keeps each whole. After an error what was kept
 * stays, and the next call goes on from it.
 *
 * @returns how many are encrypted to others, and so left out
 * @throws what `openVerified` throws, for the first segment that is not accepted; CliError verification failed where two
 * segments hold different records under one index of a ledger
 */
export async function gather(gathered: Gathered, options: GatherOptions): Promise<number> {
  const { source, model, items, fleet, identities, onRefused = () => false, onProgress = () => {} } = options;
  const before = await gathered.manifests();
  const wanted = new Set<string>(items.map(({ manifest }) => manifest));
  await gathered.drop([...before].filter((manifest) => !wanted.has(manifest)));
  const missing = [...new Map(items.map((item) => [item.manifest, item])).values()].filter(
    ({ manifest }) => !before.has(manifest),
  );
  let done = wanted.size - missing.length;
  let failed = false;
  let closed = 0;
  const rest = missing.values();
  const worker = async () => {
    for (const item of rest) {
      if (failed) return;
      try {
        const segment = await openVerified({ source, model, ...(identities && { identities }) }, item, fleet);
        if (segment === undefined) closed += 1;
        else await gathered.add(item.manifest, segment, model);
      } catch (error) {
        if (!(isOfSegment(error) && onRefused(item, error))) {
          failed = true;
          throw error;
        }
      }
      done += 1;
      onProgress(done, wanted.size);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  for (const result of ended) if (result.status === "rejected") throw result.reason;
  const contradiction = await gathered.contradiction();
  if (contradiction === undefined) return closed;
  const { origin, index } = contradiction;
  throw new CliError(
    exitCodes.verificationFailed,
    `two segments hold different records as entry ${index} of ${origin}`,
    {
      hint: "the device has signed two histories; tell the operator of the plane",
    },
  );
}

/** What the segment is, and not what became of reading or keeping it. */
function isOfSegment(error: unknown): error is Error {
  if (error instanceof CliError)
    return error.exitCode === exitCodes.verificationFailed || error.exitCode === exitCodes.notProven;
  if (error instanceof EdgeError) return error.code === "segment-invalid";
  return error instanceof OciError && error.code === "modelkit-invalid";
}
