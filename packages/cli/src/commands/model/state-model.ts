import { type Digest, type ModelResource, modelStatement, type NamedFile } from "@tally/evidence";
import { type FileEntry, hashFiles, type ModelReport } from "@tally/oci";
import type { SigningKey } from "../../keys/index.ts";
import type { PlaneClient } from "../../plane-client.ts";
import { postEnvelope, signAndPost } from "../../post-statement.ts";
import { CliError, exitCodes } from "../../terminal/index.ts";

export interface SignedModel {
  readonly manifest: Digest;
  readonly repository: string;
  /** Of its signature, as far as it has been verified. */
  readonly report: ModelReport;
  /** All that the artifact holds. */
  readonly files: readonly FileEntry[];
  /** Manifest of the model that it was made from. */
  readonly base?: Digest;
}

export interface StatedModel {
  /** Digest of the signature's envelope. */
  readonly signature: Digest;
  readonly statement: Digest;
  /** How many files are signed. */
  readonly files: number;
}

/** Tells the plane of a model that lies in its registry: the signature's statement, then which files the manifest stands for. */
export async function stateModel(
  client: PlaneClient,
  key: SigningKey,
  { manifest, repository, report, files: packed, base }: SignedModel,
): Promise<StatedModel> {
  const { envelope, signature } = report;
  await postEnvelope(client, envelope!.bytes);
  const files = await namedFiles(signature!.resources, packed);
  const statement = modelStatement({
    manifest,
    repository,
    files,
    signature: envelope!.digest,
    ...(base && { base }),
  });
  const { digest } = await signAndPost(client, statement, key);
  return { signature: envelope!.digest, statement: digest, files: files.length };
}

/** @throws CliError `verificationFailed` unless the signature in `file` is one of these files, as far as its publisher can say. */
export function requireSigned(
  report: ModelReport,
  file: string,
  bases: readonly { readonly text: string }[] = [],
): void {
  const failed = report.checks.find(({ result }) => result !== "good");
  // Whether a certificate is to be trusted is not for the publisher to say.
  const byCertificate = failed?.name === "signature" && failed.result === "not made";
  if (failed === undefined || byCertificate) return;
  throw new CliError(
    exitCodes.verificationFailed,
    `${file} is no signature of this model: ${failed.name}: ${failed.message}`,
    {
      hint:
        failed.name === "signature"
          ? "give --signer PUBLIC_KEY if somebody else signed it"
          : `sign the folder ${wholeFolder(bases)}, then push again`,
    },
  );
}

/** The signed files with their sizes, in the order of the signature; those that it signs whole were hashed just now. */
async function namedFiles(
  resources: readonly ModelResource[],
  packed: readonly FileEntry[],
): Promise<readonly NamedFile[]> {
  const signedWhole = new Map(
    resources.map(({ path, range, digest }) => [path, range === undefined ? digest : undefined]),
  );
  const known = new Map(packed.map((file) => [file.name, file]));
  const files = [...signedWhole].map(([path, digest]) => ({ ...known.get(path)!, ...(digest && { digest }) }));
  const digests = await hashFiles(files);
  return files.map(({ name, size }, i) => ({ name, size, digest: digests[i]! }));
}

/** Of which folder a signature is wanted: as it is unpacked, with what bases bring. */
function wholeFolder([base]: readonly { readonly text: string }[]): string {
  return base === undefined ? "that was packed" : `as it is unpacked, with the files of its base ${base.text} in it`;
}
