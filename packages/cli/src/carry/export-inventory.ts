import {
  type Delivery,
  type Digest,
  envelopeMediaType,
  inventoryStatement,
  parseCheckpoint,
  signStatement,
} from "@tally/evidence";
import { type CarrierWriter, type Descriptor, emptyBytes, emptyDescriptor, encodeImageManifest } from "@tally/oci";
import type { SigningKey } from "../keys/index.ts";
import type { PlaneClient } from "../plane-client.ts";
import { usageError } from "../terminal/index.ts";
import type { CarriedNames } from "./carried-names.ts";
import type { ExportedModel } from "./export-model.ts";

/** The artifact in which an inventory is carried: one layer, the signed envelope. It refers to nothing. */
export const inventoryArtifactType = "application/vnd.tally.inventory";

/** As many as one statement can name. */
const mostManifests = 100_000;

export interface InventoryWanted {
  readonly client: PlaneClient;
  readonly writer: CarrierWriter;
  readonly names: CarriedNames;
  readonly key: Pick<SigningKey, "signer" | "others">;
  /** As they were asked for. */
  readonly refs: readonly string[];
  readonly segments: boolean;
  readonly models: readonly ExportedModel[];
  readonly delivery: Delivery | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Signs what is in the layout and puts that into it too. @returns the envelope's digest */
export async function exportInventory(wanted: InventoryWanted): Promise<Digest> {
  const { client, writer, names, key, refs, segments, models, delivery, now } = wanted;
  const manifests = names.all();
  if (manifests.length > mostManifests) {
    const what = `an inventory names at most ${mostManifests} manifests, and these are ${manifests.length}`;
    throw usageError(what, "export the models one by one, or leave out --key");
  }
  const checkpoint = await client.bytes("/log/checkpoint");
  const { origin } = parseCheckpoint(checkpoint).checkpoint;
  const statement = inventoryStatement({
    manifests,
    plane: origin.slice(0, origin.lastIndexOf("/")),
    created: now,
    asked: { models: refs, segments },
    roots: [...writer.names()].flatMap(([manifest, names]) =>
      names.flatMap(({ repository, tag }) =>
        repository === undefined
          ? []
          : [{ manifest: manifest as Digest, repository, ...(tag !== undefined && { tag }) }],
      ),
    ),
    missing: models.flatMap(({ missing }) => missing),
    checkpoint: Buffer.from(checkpoint).toString("utf8"),
    ...(delivery && { delivery }),
  });
  const envelope = await signStatement(statement, key.signer, ...key.others);
  const layer: Descriptor = {
    mediaType: envelopeMediaType,
    digest: envelope.digest,
    size: envelope.bytes.length,
  };
  await writer.pushBlob(layer, envelope.bytes);
  await writer.pushBlob(emptyDescriptor, emptyBytes);
  const parts = { artifactType: inventoryArtifactType, config: emptyDescriptor, layers: [layer] };
  const { bytes, descriptor } = encodeImageManifest(parts);
  await writer.pushManifest(bytes, descriptor.mediaType);
  return envelope.digest;
}
