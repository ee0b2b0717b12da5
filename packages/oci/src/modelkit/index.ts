export { baseOf, type KitBase } from "./base-name.ts";
export { type ResolvedBase, resolveBases } from "./bases.ts";
export { checkKitfile, encodeKitConfig, formatKitfile } from "./format-kitfile.ts";
export { isSegment } from "./is-segment.ts";
export { filesOfModelKit } from "./kit-files.ts";
export type {
  KitCode,
  KitDataset,
  KitDocs,
  Kitfile,
  KitLayer,
  KitModel,
  KitModelPart,
  KitPackage,
} from "./kitfile.ts";
export { layerContent } from "./layer-content.ts";
export { type LayerKind, type LayerType, modelKitTypes, modelPackTypes, parseLayerType } from "./layer-types.ts";
export { type OtherLayer, type PackedModelKit, type PackOptions, packModelKit } from "./pack.ts";
export { parseKitConfig, parseKitfile } from "./parse-kitfile.ts";
export { type ModelKit, type ModelLayer, readModelKit } from "./read.ts";
export { type UnpackedFile, type UnpackedModelKit, type UnpackOptions, unpackModelKit } from "./unpack.ts";
