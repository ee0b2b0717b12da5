import {
  coversRecord,
  type Digest,
  describeQuarantined,
  EvidenceError,
  foldQuarantines,
  type LoggedWord,
  matchesRepository,
  parseEnvelope,
  parseQuarantine,
  type Quarantined,
  type QuarantineList,
  quarantineType,
  type SegmentItem,
  type StatementList,
  type Trust,
} from "@tally/evidence";
import type { PlaneClient } from "../plane-client.ts";
import { checkSigner, peopleKeys, type SignerWorld } from "../signer-checks.ts";

/** A quarantine that stands in a repository. */
export interface HonouredQuarantine {
  readonly statement: Digest;
  readonly what: Quarantined;
  readonly reason: string;
  /** Who said it. */
  readonly by: readonly string[];
}

export interface ReadQuarantines {
  /** In the order of the plane's log. */
  readonly standing: readonly HonouredQuarantine[];
  /** Words that do not count: the plane's log has them, and their signer may not say it, or could not then. */
  readonly refused: readonly { readonly statement: Digest; readonly why: string }[];
}

/**
 * What stands under quarantine in a repository, of what `concerns` whoever asks. With a trust file each statement is verified: in the plane's
 * log, by someone who may quarantine there, in the bracket that the log proves. Without one it is the plane's word. A plane can
 * hold a statement back in both cases.
 *
 * @throws EvidenceError where the plane sends another statement than it names
 */
export async function readQuarantines(
  client: PlaneClient,
  trust: Trust | undefined,
  repository: string,
  concerns: (what: Quarantined) => boolean,
): Promise<ReadQuarantines> {
  if (trust === undefined) return { standing: await asThePlaneSays(client, repository, concerns), refused: [] };
  const query = new URLSearchParams({ type: quarantineType });
  const { statements } = await client.get<StatementList>(`/api/v1/statements?${query}`);
  const ours = new Set<Digest>();
  const counting: (LoggedWord & { readonly by: readonly string[] })[] = [];
  const refused: { statement: Digest; why: string }[] = [];
  let world: SignerWorld = { client, trust };
  for (const { digest: statement } of statements) {
    const envelope = parseEnvelope(await client.bytes(`/api/v1/statements/${statement}`));
    if (envelope.digest !== statement || envelope.statement.predicateType !== quarantineType) {
      throw new EvidenceError("envelope-invalid", `the plane sends another statement than ${statement}`);
    }
    const word = parseQuarantine(envelope.statement);
    if (!(word.decision === "lift" ? ours.has(word.lifts) : concerns(word.what))) continue;
    ours.add(statement);
    // The fleet log is read once for all of them, and only where there is one.
    world = { client, trust, people: await peopleKeys(world) };
    const { checks, by } = await checkSigner(world, envelope, { action: "quarantine", repository });
    const failed = checks.find(({ result }) => result !== "good");
    if (failed === undefined) counting.push({ statement, word, by: by === undefined ? [] : [by] });
    else refused.push({ statement, why: `${failed.name}: ${failed.message}` });
  }
  const standing = foldQuarantines(counting)
    .filter(({ lifted }) => lifted === null)
    .map(({ from, what }) => ({ statement: from.statement, what, reason: from.word.reason, by: from.by }));
  return { standing, refused };
}

async function asThePlaneSays(
  client: PlaneClient,
  repository: string,
  concerns: (what: Quarantined) => boolean,
): Promise<readonly HonouredQuarantine[]> {
  const { quarantines } = await client.get<QuarantineList>("/api/v1/quarantines");
  return quarantines
    .filter(({ repositories }) => repositories.some((pattern) => matchesRepository(pattern, repository)))
    .filter(({ what }) => concerns(what))
    .map(({ statement, what, reason, by }) => ({ statement, what, reason, by }));
}

/** Whether every row that the segment may have is kept out. */
export function coversSegment(what: Quarantined, { origin, from, to }: SegmentItem, model: Digest): boolean {
  return [from, to - 1].every((index) => coversRecord(what, { origin, index, model }));
}

/** In words: what, by whom and why. */
export function wordsOf({ statement, what, by, reason }: HonouredQuarantine): string {
  return `${statement} (${describeQuarantined(what)}, by ${by.join(", ")}: ${reason})`;
}
