import { OciError } from "../error.ts";
import { checkEntryName } from "../tar/entry-name.ts";
import type { PlaceOf } from "../tar/read.ts";
import type { ModelLayer } from "./read.ts";

/** A ModelKit's layer brings what lies at its part's path and nothing else, whatever its tar says. */
export function placeIn({ path, under, descriptor: { mediaType } }: ModelLayer): PlaceOf | undefined {
  // Of a ModelPack's tar nothing says where its files may go.
  if (path === undefined || path === "" || !mediaType.startsWith("application/vnd.kitops.modelkit.")) return undefined;
  return (name, kind) => {
    const full = under === undefined ? name : checkEntryName(`${under}/${name}`);
    const isWithin = full === path || full.startsWith(`${path}/`) || (kind === "folder" && path.startsWith(`${full}/`));
    if (isWithin) return full;
    throw new OciError(
      "archive-invalid",
      `the layer of ${path} brings ${JSON.stringify(full)}, which lies outside of it`,
      {
        hint: "the Kitfile and the layers of the ModelKit contradict each other: do not use it",
      },
    );
  };
}
