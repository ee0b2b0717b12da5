import type { Digest } from "../digest.ts";
import {
  concernsDevice,
  coversRecord,
  describeQuarantined,
  foldQuarantines,
  type LoggedWord,
  parseQuarantine,
  type QuarantinableRecord,
  type Quarantined,
  quarantineType,
  touches,
} from "../statements/index.ts";
import type { TrustedIdentity } from "../trust/index.ts";
import type { Context } from "./context.ts";
import type { Enrolment } from "./fleet-entries.ts";
import type { ModelAnswer } from "./models.ts";
import type { ProvenStatement, Statements } from "./proven-statements.ts";

/** Something that the answer is about was put under quarantine, by someone whom the trust file lets do that. */
export interface QuarantineAnswer {
  /** The envelope. */
  readonly statement: Digest;
  readonly what: Quarantined;
  readonly reason: string;
  readonly by: readonly string[];
  /** Repositories of the answer's models for which it stands; empty where it was lifted. `*` where the answer names no model. */
  readonly repositories: readonly string[];
  /** Who lifted it; null where it stands anywhere. */
  readonly lifted: { readonly statement: Digest; readonly by: readonly string[]; readonly reason: string } | null;
}

type Word = LoggedWord & { readonly by: readonly TrustedIdentity[] };

const name = "quarantine";

/**
 * What of the answer is, or was, under quarantine: a device's records, a segment, a model, or what one was trained on. It
 * takes nothing from a proof. A statement counts in the repositories for which its signer may say it; for a signer who may not, the
 * checks say why, and nothing is under quarantine. Statements that a plane holds back cannot be missed here.
 */
export function verifyQuarantines(
  scope: readonly Enrolment[],
  models: readonly ModelAnswer[],
  statements: Statements,
  { checklist }: Context,
): readonly QuarantineAnswer[] {
  const words = relevantWords(scope, models, statements);
  if (words.length === 0) return [];
  const named = models.flatMap(({ repository }) => repository ?? []);
  const repositories = named.length === 0 ? ["*"] : [...new Set(named)].sort();
  const answers = new Map<Digest, QuarantineAnswer>();
  for (const repository of repositories) {
    const counting = words.flatMap((word): readonly Word[] => {
      const by = statements.signers(word.found, { action: "quarantine", repository });
      return by.length === 0 ? [] : [{ ...word, by }];
    });
    for (const { from, what, lifted } of foldQuarantines(counting)) {
      const { statement } = from;
      const known = answers.get(statement) ?? { ...said(from), what, repositories: [], lifted: null };
      answers.set(statement, {
        ...known,
        repositories: lifted === null ? [...known.repositories, repository] : known.repositories,
        lifted: lifted === null ? known.lifted : said(lifted),
      });
    }
  }
  return [...answers.values()].map((answer) => {
    const { statement, what, reason, by, repositories: standing } = answer;
    const lifted = standing.length === 0 ? answer.lifted : null;
    const end = lifted === null ? "" : `; lifted by ${lifted.by.join(", ")}: ${lifted.reason}`;
    checklist.good(name, statement, `${describeQuarantined(what)}, by ${by.join(", ")}: ${reason}${end}`);
    return { ...answer, lifted };
  });
}

function said({ statement, word, by }: Word): Pick<QuarantineAnswer, "statement" | "reason" | "by"> {
  return { statement, reason: word.reason, by: [...new Set(by.map((identity) => identity.name))] };
}

/** Quarantines of what the answer has, and what lifts these, in the log's order and marked as used. */
function relevantWords(
  scope: readonly Enrolment[],
  models: readonly ModelAnswer[],
  statements: Statements,
): readonly (LoggedWord & { readonly found: ProvenStatement })[] {
  const manifests = new Set(models.map(({ manifest }) => manifest));
  const data = models.flatMap(({ origin }) => origin.data);
  const digests = new Set(data.map(({ digest }) => digest));
  const drawnFrom = data.flatMap(({ segments }) => segments);
  const isOurs = (what: Quarantined): boolean => {
    if (what.kind === "model") return manifests.has(what.manifest);
    if (what.kind === "dataset") return what.files.some(({ digest }) => digests.has(digest));
    if (what.kind === "segment" && digests.has(what.manifest)) return true;
    return scope.some(({ origin }) => concernsDevice(what, origin)) || drawnFrom.some((range) => touches(what, range));
  };
  const ours = new Set<Digest>();
  return statements.ofType(quarantineType).flatMap((found) => {
    const word = statements.read(found, parseQuarantine);
    const { digest: statement } = found.envelope;
    if (word === undefined || !(word.decision === "lift" ? ours.has(word.lifts) : isOurs(word.what))) return [];
    ours.add(statement);
    statements.find(statement);
    return [{ statement, word, found }];
  });
}

/** Those of an answer's quarantines that a record is under now. */
export function quarantinesOf(
  record: QuarantinableRecord,
  {
    quarantines,
    models,
  }: { readonly quarantines: readonly QuarantineAnswer[]; readonly models: readonly ModelAnswer[] },
): readonly QuarantineAnswer[] {
  if (quarantines.length === 0) return [];
  const repository = models.find(({ manifest }) => manifest === record.model)?.repository ?? "*";
  return quarantines.filter(
    ({ what, repositories }) => repositories.includes(repository) && coversRecord(what, record),
  );
}
