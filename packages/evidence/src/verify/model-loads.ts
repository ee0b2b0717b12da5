import { memberTypes } from "../bundle/index.ts";
import { decodeCbor, isCborList } from "../cbor/index.ts";
import { parseJson } from "../content/i-json.ts";
import { JsonField } from "../content/json-field.ts";
import { asHash, type Digest, digestFromHash } from "../digest.ts";
import type { Load, MeasuredFile } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import type { Model } from "../statements/index.ts";
import type { Context } from "./context.ts";
import type { Materials } from "./materials.ts";
import type { Statements } from "./proven-statements.ts";

/** The verdict on whose ground a device loaded the model, as far as the verifier relies on it. */
export interface Permit {
  readonly digest: Digest;
  readonly repository: string;
  /** Envelopes that it names as its ground. */
  readonly inputs: readonly Digest[];
}

const name = { files: "loaded files", permit: "permit" };

/** Reads the verdicts that the loads of a model name. */
export function readPermits(
  manifest: Digest,
  loads: readonly Load[],
  { checklist, materials }: Context,
): readonly Permit[] {
  const permits: Permit[] = [];
  for (const digest of new Set(loads.map(({ permit }) => permit))) {
    if (digest === null) {
      checklist.missing(name.permit, manifest, "a load names no permit");
      continue;
    }
    const member = materials.find(memberTypes.blob, digest);
    if (member === undefined) {
      checklist.missing(name.permit, manifest, `the bundle does not hold the verdict ${digest}`);
      continue;
    }
    materials.use(member);
    try {
      permits.push(readVerdict(member.bytes, digest, manifest));
    } catch (error) {
      checklist.bad(name.permit, manifest, error instanceof Error ? error.message : String(error));
    }
  }
  return permits;
}

/** Every statement that a verdict rests on has to be in the plane's log: the device was not shown others than we are. */
export function verifyPermits(
  manifest: Digest,
  permits: readonly Permit[],
  statements: Statements,
  { checklist }: Context,
): void {
  for (const { inputs } of permits) {
    const unknown = inputs.find((input) => statements.find(input) === undefined);
    if (unknown !== undefined) {
      const what = `a verdict rests on statement ${unknown}, which the bundle does not prove`;
      checklist.missing(name.permit, manifest, what);
    } else {
      const what = `the device allowed the load on the ground of ${inputs.length} statements`;
      checklist.good(name.permit, manifest, what);
    }
  }
}

function readVerdict(bytes: Uint8Array, digest: Digest, manifest: Digest): Permit {
  const verdict = new JsonField(parseJson(bytes, "content-invalid"), "", "content-invalid");
  verdict.at("gate").oneOf("load");
  const subject = verdict.at("subject").digest();
  if (subject !== manifest) throw broken(`the verdict is about ${subject}`);
  if (!verdict.at("allow").bool()) throw broken("the verdict does not allow this model");
  const inputs = verdict.at("inputs").nonEmptyList((input) => input.digest());
  return { digest, repository: verdict.at("repository").text(255), inputs };
}

/** What devices say that they loaded are files of the model, by digest and size; a measurement of nothing is none. */
export function verifyLoadedFiles(model: Model, loads: readonly Load[], { checklist, materials }: Context): void {
  const sizes = new Map(model.files.map(({ digest, size }) => [digest, size]));
  let named = 0;
  for (const load of loads) {
    const files = filesOf(load, materials);
    if (files === undefined) {
      checklist.missing(name.files, model.manifest, `the bundle does not hold the list of files ${load.filesBlob}`);
      return;
    }
    if (files instanceof EvidenceError) {
      checklist.bad(name.files, model.manifest, files.message);
      return;
    }
    const stray = files.find(({ digest, size }) => sizes.get(digest) !== size);
    if (stray !== undefined) {
      const what = `a device loaded ${stray.digest} of ${stray.size} bytes, which is no file of this model`;
      checklist.bad(name.files, model.manifest, what);
      return;
    }
    if (files.length === 0 && (load.grade === "measured" || load.grade === "attested")) {
      checklist.bad(name.files, model.manifest, `a load claims to be ${load.grade} and names no file`);
      return;
    }
    if (files.length === 0) named += 1;
  }
  const measured = loads.length - named;
  if (measured > 0) {
    const what = `in ${measured} loads devices measured the signed files and no others`;
    checklist.good(name.files, model.manifest, what);
  }
  if (named > 0) checklist.skipped(name.files, model.manifest, `${named} loads name no file, and claim no measurement`);
}

/** Undefined where the list is a blob that is not here; an error where it is no list of files. */
function filesOf(load: Load, materials: Materials): readonly MeasuredFile[] | EvidenceError | undefined {
  if (load.filesBlob === undefined) return load.files;
  const member = materials.find(memberTypes.blob, load.filesBlob);
  if (member === undefined) return undefined;
  materials.use(member);
  try {
    return readFiles(member.bytes);
  } catch (cause) {
    return cause instanceof EvidenceError ? cause : broken(`the list of files ${load.filesBlob} cannot be read`);
  }
}

function readFiles(bytes: Uint8Array): readonly MeasuredFile[] {
  const list = decodeCbor(bytes);
  if (!isCborList(list)) throw broken("a list of loaded files is not a list");
  return list.map((item) => {
    if (!isCborList(item) || item.length !== 2) throw broken("a loaded file is not [digest, size]");
    const [digest, size] = item;
    if (!(digest instanceof Uint8Array) || typeof size !== "number")
      throw broken("a loaded file is not [digest, size]");
    return { digest: digestFromHash(asHash(digest)), size };
  });
}

function broken(what: string): EvidenceError {
  return new EvidenceError("content-invalid", what);
}
