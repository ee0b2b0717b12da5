import type { Annotations } from "../artifact/descriptor.ts";
import { refNameAnnotation } from "../layout/layout-index.ts";

/** In the index of a layout: the repository that a manifest is from, as whoever wrote the layout says. */
const repositoryAnnotation = "tally.repository";

/** What the index of a layout calls a manifest: nobody has signed that. */
export interface CarriedName {
  readonly repository?: string;
  readonly tag?: string;
}

/** As the index has a name. */
export function annotationsOf({ repository, tag }: CarriedName): Annotations {
  return {
    ...(repository !== undefined && { [repositoryAnnotation]: repository }),
    ...(tag !== undefined && { [refNameAnnotation]: tag }),
  };
}

/** The name in an entry of the index; undefined where it has none. */
export function nameIn(annotations: Annotations = {}): CarriedName | undefined {
  const { [repositoryAnnotation]: repository, [refNameAnnotation]: tag } = annotations;
  if (repository === undefined && tag === undefined) return undefined;
  return { ...(repository !== undefined && { repository }), ...(tag !== undefined && { tag }) };
}
