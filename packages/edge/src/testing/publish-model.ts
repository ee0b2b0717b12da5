import { readFile } from "node:fs/promises";
import {
  approvalStatement,
  type Digest,
  digestOf,
  type Envelope,
  modelSignatureStatement,
  modelStatement,
  releaseStatement,
  signStatement,
  statementSignerFromPem,
} from "@tally/evidence";
import { memoryFile, packModelKit, RegistryClient } from "@tally/oci";
import type { LoopbackPlane } from "./loopback-plane.ts";

/** sigmoid(features · [1, -1, 0.5, 0.25] + 0.5), features float32 [N, 4] → probability float32 [N, 1]. */
export const tinyModel: Uint8Array = new Uint8Array(
  await readFile(new URL("../../testdata/tiny.onnx", import.meta.url)),
);

/** The same model with its weights in `weights.bin`, as models over 2 GB have to be, and those weights. */
export const externalModel: Uint8Array = new Uint8Array(
  await readFile(new URL("../../testdata/tiny-external.onnx", import.meta.url)),
);
export const externalWeights: Uint8Array = new Uint8Array(
  await readFile(new URL("../../testdata/weights.bin", import.meta.url)),
);

export interface PublishOptions {
  /** The model's files besides README.md; the default is the tiny model as `model.onnx`. */
  readonly files?: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly repository?: string;
  readonly sequence?: number;
  readonly approve?: boolean;
  /** Distinguishes one version of the model from another. */
  readonly note?: string;
}

/** Packs, pushes, signs, approves and releases the tiny model to `<repository>:stable`, as people would. */
export async function publishModel(plane: LoopbackPlane, options: PublishOptions = {}): Promise<Digest> {
  const { repository = "tiny", sequence = 1, approve = true, note = "first" } = options;
  const target = new RegistryClient({ url: plane.url, repository });
  const documents = new TextEncoder().encode(`# ${note}\n`);
  const { files: modelFiles = [{ name: "model.onnx", bytes: tinyModel }] } = options;
  const contents = [...modelFiles, { name: "README.md", bytes: documents }];
  const { digest: manifest } = await packModelKit({
    files: contents.map(({ name, bytes }) => memoryFile(name, bytes)),
    kitfile: {
      manifestVersion: "1.0.0",
      package: { name: "tiny" },
      model: {
        name: "tiny",
        path: "model.onnx",
        ...(modelFiles.length > 1 && { parts: modelFiles.slice(1).map(({ name }) => ({ path: name })) }),
      },
      docs: [{ path: "README.md" }],
    },
    target,
  });
  const files = contents.map(({ name, bytes }) => ({ name, digest: digestOf(bytes), size: bytes.length }));
  const publisher = statementSignerFromPem(plane.keys.publisher.pem);
  const approver = statementSignerFromPem(plane.keys.approver.pem);
  const signature = await signStatement(
    modelSignatureStatement({
      name: "tiny",
      resources: files.map(({ name, digest }) => ({ path: name, digest })),
      method: "files",
      allowSymlinks: false,
      ignorePaths: [],
    }),
    publisher,
  );
  const model = await signStatement(
    modelStatement({ manifest, repository, files, signature: signature.digest }),
    publisher,
  );
  const channel = `${repository}:stable`;
  const approval = await signStatement(approvalStatement({ manifest, decision: "approved", evaluated: [] }), approver);
  const release = await signStatement(
    releaseStatement({ manifest, purl: `pkg:oci/${repository}@${manifest}`, releaseId: note, channel, sequence }),
    publisher,
  );
  const envelopes: Envelope[] = [signature, model, ...(approve ? [approval] : []), release];
  for (const envelope of envelopes) await plane.logStatement(envelope);
  const statements = envelopes.map(({ digest }) => digest);
  plane.channels.set(channel, { manifest, sequence, release: release.digest, statements });
  return manifest;
}
