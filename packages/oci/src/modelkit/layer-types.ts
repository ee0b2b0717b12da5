/** The manifest and config types of ModelKits (KitOps) and ModelPacks (CNCF model-spec). Either one recognises the artifact. */
export const modelKitTypes = Object.freeze({
  artifact: "application/vnd.kitops.modelkit.manifest.v1+json",
  config: "application/vnd.kitops.modelkit.config.v1+json",
});
export const modelPackTypes = Object.freeze({
  artifact: "application/vnd.cncf.model.manifest.v1+json",
  config: "application/vnd.cncf.model.config.v1+json",
});

/** What a layer holds. `config` is ModelPack's configuration of weights; `other` is anything a kit carries besides. */
export type LayerKind = "model" | "modelpart" | "dataset" | "code" | "docs" | "config" | "other";

export interface LayerType {
  readonly kind: LayerKind;
  readonly packing: "tar" | "raw";
  readonly compression: "none" | "gzip" | "zstd";
}

const kit = /^application\/vnd\.kitops\.modelkit\.(model|modelpart|dataset|code|docs)\.v1\.tar(?:\+(gzip))?$/;
const modelPack =
  /^application\/vnd\.cncf\.model\.(weight|weight\.config|doc|code|dataset)\.v1\.(?:(raw)|tar(?:\+(gzip|zstd))?)$/;

const modelPackKinds: Readonly<Record<string, LayerKind>> = {
  weight: "model",
  "weight.config": "config",
  doc: "docs",
  code: "code",
  dataset: "dataset",
};

/** The media type of an uncompressed ModelKit layer. */
export function modelKitLayerType(kind: Exclude<LayerKind, "config" | "other">): string {
  return `application/vnd.kitops.modelkit.${kind}.v1.tar`;
}

/** What a layer's media type says. A type that is none of a model's is `other`: its bytes are carried, not unpacked. */
export function parseLayerType(mediaType: string): LayerType {
  const [, kitKind, kitCompression] = kit.exec(mediaType) ?? [];
  if (kitKind !== undefined) return layerType(kitKind as LayerKind, "tar", kitCompression);
  const [, packKind, raw, packCompression] = modelPack.exec(mediaType) ?? [];
  if (packKind === undefined) return layerType("other", "raw", undefined);
  return layerType(modelPackKinds[packKind] ?? "other", raw === undefined ? "tar" : "raw", packCompression);
}

function layerType(kind: LayerKind, packing: "tar" | "raw", compression: string | undefined): LayerType {
  return Object.freeze({ kind, packing, compression: (compression ?? "none") as LayerType["compression"] });
}
