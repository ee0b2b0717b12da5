import { concatBytes } from "../bytes.ts";
import { given, type JsonField } from "../content/json-field.ts";
import { type Digest, digestOf, hashFromDigest } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { makeStatement, onlySubject, predicateOf, type Statement } from "./statement.ts";

/** OpenSSF Model Signing v1.0. */
export const modelSignatureType = "https://model_signing/signature/v1.0";

/** What a model signature covers: every resource, by path, in the order in which they were signed. */
export interface ModelSignature {
  /** SHA-256 over the raw digests of the resources, in stored order. */
  readonly model: Digest;
  readonly name: string;
  readonly resources: readonly ModelResource[];
  readonly method: "files" | "shards";
  /** Bytes; of method `shards` only. */
  readonly shardSize?: number;
  readonly allowSymlinks: boolean;
  readonly ignorePaths: readonly string[];
}

export interface ModelResource {
  /** Path relative to the model, without the range that shards carry. */
  readonly path: string;
  readonly digest: Digest;
  /** Of method `shards`: bytes `start` up to, not including, `end`. */
  readonly range?: { readonly start: number; readonly end: number };
}

/** The digest that a signature over these resources has as its subject. */
export function modelDigest(resources: readonly { readonly digest: Digest }[]): Digest {
  return digestOf(concatBytes(...resources.map((resource) => hashFromDigest(resource.digest))));
}

/**
 * Whose spelling a signature is written in. The reference tool (model_signing, up to 1.1.1) calls the hash of a shard
 * `sha256-sharded-<size>`, where the specification has `sha256`, and verifies no other; both are read.
 */
export type SignatureDialect = "specification" | "model_signing";

export function modelSignatureStatement(
  signature: Omit<ModelSignature, "model">,
  dialect: SignatureDialect = "specification",
): Statement {
  const { name, resources, method, shardSize, allowSymlinks, ignorePaths } = signature;
  const algorithm = dialect === "model_signing" && method === "shards" ? shardedHash(shardSize!) : "sha256";
  return makeStatement([{ name, digest: modelDigest(resources) }], modelSignatureType, {
    resources: resources.map(({ path, digest, range }) => ({
      name: range === undefined ? path : `${path}:${range.start}:${range.end}`,
      digest: digest.slice("sha256:".length),
      algorithm,
    })),
    serialization: {
      method,
      hash_type: "sha256",
      ...given("shard_size", shardSize),
      allow_symlinks: allowSymlinks,
      ignore_paths: ignorePaths,
    },
  });
}

/**
 * Reads the statement of a model signature and recomputes its subject. Resources keep their stored order, because
 * signers differ in how they sort paths.
 *
 * @throws EvidenceError `statement-invalid`; `not-supported` for hashes other than SHA-256
 */
export function parseModelSignature(statement: Statement): ModelSignature {
  const predicate = predicateOf(statement, modelSignatureType);
  const serialization = predicate.at("serialization");
  const method = serialization.at("method").oneOf("files", "shards");
  requireSha256(serialization.at("hash_type"));
  const shardSize = serialization.at("shard_size");
  if ((method === "shards") !== (shardSize.value !== undefined)) {
    throw shardSize.fail("stands with method shards, and only there");
  }
  const size = shardSize.optional((f) => f.uint());
  const hashes = size === undefined ? [] : [shardedHash(size)];
  const resources = predicate.at("resources").nonEmptyList((field) => readResource(field, method, hashes));
  requireDistinct(predicate.at("resources"), resources);
  const model = onlySubject(statement);
  if (modelDigest(resources) !== model) {
    throw new EvidenceError("statement-invalid", `subject: ${model} is not the digest of the resources`);
  }
  return Object.freeze({
    model,
    name: statement.subject[0]?.name ?? "",
    resources,
    method,
    ...given("shardSize", size),
    allowSymlinks: serialization.at("allow_symlinks").bool(),
    ignorePaths: serialization.at("ignore_paths").optional((f) => f.list((path) => path.text())) ?? [],
  });
}

function readResource(field: JsonField, method: "files" | "shards", hashes: readonly string[]): ModelResource {
  requireSha256(field.at("algorithm"), hashes);
  const name = field.at("name").text(4096);
  const digest = field.at("digest").sha256Hex();
  if (method === "files") return Object.freeze({ path: name, digest });
  const [, path, from, to] = /^(.+):(0|[1-9][0-9]*):([1-9][0-9]*)$/s.exec(name) ?? [];
  const range = { start: Number(from), end: Number(to) };
  if (path === undefined || !Number.isSafeInteger(range.end) || range.start >= range.end) {
    throw field.at("name").wrong("path:start:end");
  }
  return Object.freeze({ path, digest, range: Object.freeze(range) });
}

function shardedHash(shardSize: number): string {
  return `sha256-sharded-${shardSize}`;
}

function requireSha256(field: JsonField, alike: readonly string[] = []): void {
  if (!["sha256", ...alike].includes(field.oneOf("sha256", "blake2", "blake2b", "blake3", ...alike))) {
    throw new EvidenceError("not-supported", `${field.place}: only model signatures over SHA-256 digests are read`);
  }
}

function requireDistinct(field: JsonField, resources: readonly ModelResource[]): void {
  const names = new Set(resources.map(({ path, range }) => JSON.stringify([path, range?.start])));
  if (names.size !== resources.length) throw field.fail("a resource is named twice");
}
