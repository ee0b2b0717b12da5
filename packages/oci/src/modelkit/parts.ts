import { OciError } from "../error.ts";
import { checkEntryName } from "../tar/entry-name.ts";
import { parseBase } from "./base-name.ts";
import type { Kitfile, KitLayer } from "./kitfile.ts";
import type { LayerKind } from "./layer-types.ts";

/** A part of a Kitfile that has a layer of its own. */
export interface KitPart {
  readonly kind: Exclude<LayerKind, "config" | "other">;
  /** Relative to the Kitfile, without `./` and closing slash; empty for the whole folder. */
  readonly path: string;
  /** Its position among the parts of its kind. */
  readonly index: number;
  readonly layer: KitLayer;
}

/** The parts in the order in which their layers stand in a manifest. Throws `modelkit-invalid` for unsafe or shared paths. */
export function partsOfKitfile(kitfile: Kitfile): readonly KitPart[] {
  const { model, code = [], datasets = [], docs = [] } = kitfile;
  const parts: KitPart[] = [];
  const add = (kind: KitPart["kind"], index: number, part: KitLayer & { readonly path?: string }) =>
    parts.push({ kind, index, path: partPath(part.path), layer: part });
  // A model of parts only has no path, and no layer, of its own; a base's layers are the base's.
  if (model?.path !== undefined && model.path !== "" && parseBase(model.path) === undefined) add("model", 0, model);
  for (const [i, part] of (model?.parts ?? []).entries()) add("modelpart", i, part);
  for (const [i, part] of code.entries()) add("code", i, part);
  for (const [i, part] of datasets.entries()) add("dataset", i, part);
  for (const [i, part] of docs.entries()) add("docs", i, part);
  const paths = new Set<string>();
  for (const { path } of parts) {
    if (paths.has(path))
      throw new OciError("modelkit-invalid", `two parts of the Kitfile have the path ${path || "."}`);
    paths.add(path);
  }
  return parts;
}

/** The Kitfile with each part's digests, in the order of `partsOfKitfile`. */
export function withLayers(kitfile: Kitfile, layers: readonly (KitPart & { readonly layer: KitLayer })[]): Kitfile {
  const layerOf = (kind: KitPart["kind"], index: number): KitLayer =>
    layers.find((part) => part.kind === kind && part.index === index)?.layer ?? {};
  const { model, code, datasets, docs } = kitfile;
  const fill =
    (kind: KitPart["kind"]) =>
    <Part extends object>(part: Part, i: number): Part & KitLayer => ({ ...part, ...layerOf(kind, i) });
  return Object.freeze({
    ...kitfile,
    ...(model && {
      model: {
        ...(parseBase(model.path ?? "") === undefined ? fill("model")(model, 0) : model),
        ...(model.parts && { parts: model.parts.map(fill("modelpart")) }),
      },
    }),
    ...(code && { code: code.map(fill("code")) }),
    ...(datasets && { datasets: datasets.map(fill("dataset")) }),
    ...(docs && { docs: docs.map(fill("docs")) }),
  });
}

function partPath(path = ""): string {
  const bare = path.replace(/^(\.\/)+/, "").replace(/\/$/, "");
  if (bare === "" || bare === ".") return "";
  try {
    return checkEntryName(bare);
  } catch (cause) {
    throw new OciError("modelkit-invalid", `a path in the Kitfile is unsafe: ${(cause as Error).message}`, { cause });
  }
}
