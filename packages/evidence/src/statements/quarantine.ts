import { given } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { makeStatement, type NamedDigest, onlySubject, predicateOf, type Statement } from "./statement.ts";

export const quarantineType = "urn:tally:quarantine:v1";

/** What is kept out, until that is lifted. */
export type Quarantined =
  | {
      /** What a device recorded from one entry on: in this ledger, and in every later one of the device. */
      readonly kind: "device";
      readonly origin: string;
      readonly from: number;
      /** Null: it goes on. Otherwise entries [from, to) of this ledger alone. */
      readonly to: number | null;
      /** The leaf hash of the ledger's first entry: the statement's subject. */
      readonly genesis: Digest;
      /** Milliseconds since 1970: the interval that the signer asked about, and for which the entries are proven to stand. */
      readonly since?: number;
      readonly until?: number;
    }
  | {
      /** The rows of one segment, whichever segment takes its place. */
      readonly kind: "segment";
      readonly manifest: Digest;
      readonly origin: string;
      readonly from: number;
      readonly to: number;
      /** The model whose records they are. */
      readonly model: Digest;
    }
  | { readonly kind: "model"; readonly manifest: Digest }
  | { readonly kind: "dataset"; readonly files: readonly NamedDigest[] };

export type QuarantinedKind = Quarantined["kind"];

/** Someone puts something under quarantine, or lifts one that stands. */
export type QuarantineWord = {
  readonly reason: string;
  /** What the signer's clock said, milliseconds since 1970. It keeps a word that is said again apart, and decides nothing. */
  readonly at: number;
} & (
  | { readonly decision: "quarantine"; readonly what: Quarantined }
  /** `subjects`: those of the statement that it lifts, so that both are found together. */
  | { readonly decision: "lift"; readonly lifts: Digest; readonly subjects: readonly NamedDigest[] }
);

export function quarantineStatement(word: QuarantineWord): Statement {
  const { decision, reason, at } = word;
  if (decision === "lift") {
    return makeStatement(word.subjects, quarantineType, { decision, lifts: word.lifts, reason, at });
  }
  const { what } = word;
  const said = (subjects: readonly NamedDigest[], fields: object = {}) =>
    makeStatement(subjects, quarantineType, { decision, of: what.kind, reason, at, ...fields });
  switch (what.kind) {
    case "device": {
      const { genesis, origin, from, to, since, until } = what;
      const end = given("to", to ?? undefined);
      return said([{ digest: genesis }], { origin, from, ...end, ...given("since", since), ...given("until", until) });
    }
    case "segment": {
      const { manifest, origin, from, to, model } = what;
      return said([{ digest: manifest }], { origin, from, to, model });
    }
    case "model":
      return said([{ digest: what.manifest }]);
    case "dataset":
      return said(what.files);
  }
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseQuarantine(statement: Statement): QuarantineWord {
  const predicate = predicateOf(statement, quarantineType);
  const decision = predicate.at("decision").oneOf("quarantine", "lift");
  const base = { reason: predicate.at("reason").text(4096), at: predicate.at("at").uint() };
  if (decision === "lift") {
    return Object.freeze({
      ...base,
      decision,
      lifts: predicate.at("lifts").digest(),
      subjects: namedSubjects(statement),
    });
  }
  return Object.freeze({ ...base, decision, what: Object.freeze(readWhat(statement)) });
}

function readWhat(statement: Statement): Quarantined {
  const predicate = predicateOf(statement, quarantineType);
  const kind = predicate.at("of").oneOf("device", "segment", "model", "dataset");
  if (kind === "dataset") return { kind, files: namedSubjects(statement) };
  if (kind === "model") return { kind, manifest: onlySubject(statement) };
  const origin = predicate.at("origin").text(255);
  if (placeOf(origin) === undefined) throw predicate.at("origin").wrong("a device's ledger, …/d/<id>/<epoch>");
  const from = predicate.at("from").uint();
  const to = predicate.at("to").optional((f) => f.uint());
  if (to !== undefined && to <= from) throw predicate.at("to").wrong(`an index above ${from}`);
  if (kind === "device") {
    const times = { ...predicate.maybe("since", (f) => f.uint()), ...predicate.maybe("until", (f) => f.uint()) };
    return { kind, origin, from, to: to ?? null, genesis: onlySubject(statement), ...times };
  }
  if (to === undefined) throw new EvidenceError("statement-invalid", "predicate.to: a segment has an end");
  return { kind, manifest: onlySubject(statement), origin, from, to, model: predicate.at("model").digest() };
}

function namedSubjects({ subject }: Statement): readonly NamedDigest[] {
  return subject.map(({ name, digest: { sha256 } }) => ({
    ...given("name", name),
    digest: `sha256:${sha256}` as Digest,
  }));
}

/** The device of a ledger, as the part of its name that all its epochs share, and the epoch. */
function placeOf(origin: string): { readonly device: string; readonly epoch: number } | undefined {
  const [, device, epoch] = /^(.+\/d\/[^/]+)\/(\d{1,15})$/.exec(origin) ?? [];
  return device === undefined ? undefined : { device, epoch: Number(epoch) };
}

/** A record, or a label, by its place. `model`: the manifest whose record it is. */
export interface QuarantinableRecord {
  readonly origin: string;
  readonly index: number;
  readonly model: Digest | null;
}

/** Whether a record is among what is kept out. Records are never of a dataset: selections name their segments. */
export function coversRecord(what: Quarantined, { origin, index, model }: QuarantinableRecord): boolean {
  switch (what.kind) {
    case "device": {
      if (origin === what.origin) return index >= what.from && (what.to === null || index < what.to);
      if (what.to !== null) return false;
      const [own, named] = [placeOf(origin), placeOf(what.origin)];
      return own !== undefined && own.device === named?.device && own.epoch > named.epoch;
    }
    case "segment":
      return origin === what.origin && index >= what.from && index < what.to && model === what.model;
    case "model":
      return model === what.manifest;
    case "dataset":
      return false;
  }
}

/** Whether it is about any of the entries [from, to) of a ledger. */
export function touches(
  what: Quarantined,
  range: { readonly origin: string; readonly from: number; readonly to: number },
) {
  if (what.kind !== "device" && what.kind !== "segment") return false;
  if (what.origin === range.origin) return what.from < range.to && (what.to === null || what.to > range.from);
  return coversRecord(what, { origin: range.origin, index: range.from, model: null });
}

/** Whether it is about what this device recorded; `origin`: any ledger of the device. */
export function concernsDevice(what: Quarantined, origin: string): boolean {
  if (what.kind !== "device" && what.kind !== "segment") return false;
  return deviceOfLedger(what.origin) === deviceOfLedger(origin);
}

/** The part of a ledger's name that all epochs of its device share; the whole name where it is no device's. */
export function deviceOfLedger(origin: string): string {
  return placeOf(origin)?.device ?? origin;
}

/** A word that counts, with the envelope that says it. */
export interface LoggedWord {
  readonly statement: Digest;
  readonly word: QuarantineWord;
}

export interface QuarantineState<Word extends LoggedWord> {
  readonly from: Word;
  readonly what: Quarantined;
  /** The first that lifted it; null: it stands. */
  readonly lifted: Word | null;
}

/**
 * What words add up to: each quarantine, and whether it stands. Whoever may put under quarantine may lift what another did; to
 * keep something out again takes a new statement.
 *
 * @param words those whose signers count, in the order of the plane's log
 */
export function foldQuarantines<Word extends LoggedWord>(words: readonly Word[]): readonly QuarantineState<Word>[] {
  const states = new Map<Digest, QuarantineState<Word>>();
  for (const from of words) {
    const { statement, word } = from;
    if (word.decision === "quarantine") {
      if (!states.has(statement)) states.set(statement, { from, what: word.what, lifted: null });
      continue;
    }
    const known = states.get(word.lifts);
    if (known !== undefined && known.lifted === null) states.set(word.lifts, { ...known, lifted: from });
  }
  return [...states.values()];
}

/** What is kept out, in words. */
export function describeQuarantined(what: Quarantined): string {
  switch (what.kind) {
    case "device":
      return what.to === null
        ? `${what.origin} from entry ${what.from} on`
        : `entries ${what.from} to ${what.to} of ${what.origin}`;
    case "segment":
      return `segment ${what.manifest}, entries ${what.from} to ${what.to} of ${what.origin}`;
    case "model":
      return `model ${what.manifest}`;
    case "dataset":
      return `data ${what.files.map(({ name, digest }) => (name === undefined ? digest : `${name} ${digest}`)).join(", ")}`;
  }
}
