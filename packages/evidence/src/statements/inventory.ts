import { given, type JsonField } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";
import { makeStatement, type NamedDigest, predicateOf, type Statement, subjectDigests } from "./statement.ts";

export const inventoryType = "urn:tally:inventory:v1";

/** What was put into one export: whoever receives it can tell what was taken out of it, added or changed on the way. */
export interface Inventory {
  /** Every manifest but the inventory's own, by name: the subjects. What a manifest names is fixed by its digest. */
  readonly manifests: readonly NamedDigest[];
  /** Whose models and evidence these are. */
  readonly plane: string;
  /** By the clock of who exported, in milliseconds since 1970. */
  readonly created: number;
  readonly asked: { readonly models: readonly string[]; readonly segments: boolean };
  /** What stands by itself: models, and the bases that they name. */
  readonly roots: readonly InventoryRoot[];
  /** What belongs to it and could not be had. */
  readonly missing: readonly InventoryGap[];
  /** The newest checkpoint of the plane's log, a complete note: the export is no older. */
  readonly checkpoint: string;
  readonly delivery?: Delivery;
}

export interface InventoryRoot {
  readonly manifest: Digest;
  readonly repository: string;
  readonly tag?: string;
}

export interface InventoryGap {
  readonly what: "base" | "segment";
  /** The manifest of the model that it belongs to. */
  readonly of: Digest;
  readonly name: string;
  readonly reason: string;
}

/** The place of an export among those that went to the same receiver. */
export interface Delivery {
  /** 32 hex digits, chosen at random at the first one. */
  readonly series: string;
  /** From 1. */
  readonly number: number;
  /** The envelope of the inventory before it; absent at the first. */
  readonly previous?: Digest;
}

/** @throws EvidenceError `statement-invalid` without a manifest */
export function inventoryStatement(inventory: Inventory): Statement {
  const { manifests, plane, created, asked, roots, missing, checkpoint, delivery } = inventory;
  return makeStatement(manifests, inventoryType, {
    plane,
    created,
    asked: { models: [...asked.models], segments: asked.segments },
    roots: roots.map(({ manifest, repository, tag }) => ({ manifest, repository, ...given("tag", tag) })),
    missing: missing.map(({ what, of, name, reason }) => ({ what, of, name, reason })),
    checkpoint,
    ...(delivery && {
      delivery: { series: delivery.series, number: delivery.number, ...given("previous", delivery.previous) },
    }),
  });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseInventory(statement: Statement): Inventory {
  const predicate = predicateOf(statement, inventoryType);
  const digests = subjectDigests(statement);
  const known = new Set(digests);
  const asked = predicate.at("asked");
  return Object.freeze({
    manifests: statement.subject.map(({ name }, i) => ({ ...given("name", name), digest: digests[i]! })),
    plane: predicate.at("plane").text(255),
    created: predicate.at("created").uint(),
    asked: {
      models: asked.at("models").nonEmptyList((model) => model.text(1024)),
      segments: asked.at("segments").bool(),
    },
    roots: predicate.at("roots").nonEmptyList((root) => readRoot(root, known)),
    missing: predicate.at("missing").list(readGap),
    checkpoint: predicate.at("checkpoint").text(),
    ...predicate.maybe("delivery", readDelivery),
  });
}

function readRoot(field: JsonField, known: ReadonlySet<Digest>): InventoryRoot {
  const manifest = field.at("manifest").digest();
  if (!known.has(manifest)) throw field.at("manifest").wrong("one of the subjects");
  return Object.freeze({
    manifest,
    repository: field.at("repository").text(255),
    ...field.maybe("tag", (tag) => tag.text(128)),
  });
}

function readGap(field: JsonField): InventoryGap {
  return Object.freeze({
    what: field.at("what").oneOf("base", "segment"),
    of: field.at("of").digest(),
    name: field.at("name").text(1024),
    reason: field.at("reason").text(1024),
  });
}

function readDelivery(field: JsonField): Delivery {
  const series = field.at("series").text(32);
  if (!/^[0-9a-f]{32}$/.test(series)) throw field.at("series").wrong("32 hex digits");
  const number = field.at("number").uint();
  const previous = field.at("previous").optional((digest) => digest.digest());
  if (number < 1) throw field.at("number").wrong("a number from 1");
  if (number > 1 !== (previous !== undefined)) {
    throw field.at("previous").wrong(number > 1 ? "the envelope before it" : "nothing before the first");
  }
  return Object.freeze({ series, number, ...given("previous", previous) });
}
