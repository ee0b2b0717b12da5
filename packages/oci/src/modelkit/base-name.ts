import { parseArtifactName } from "../artifact/reference.ts";
import { OciError } from "../error.ts";
import { isContentDigest } from "../storage/content-digest.ts";
import type { Kitfile } from "./kitfile.ts";

/** Another ModelKit whose model a kit has for its own: `model.path` names it, as in `registry.example/models/base:v1`. */
export interface KitBase {
  /** As the Kitfile has it. */
  readonly text: string;
  /** Host, with port if one is given; absent where only the repository is named. */
  readonly host?: string;
  readonly repository: string;
  /** Tag or digest. */
  readonly reference: string;
}

/**
 * The base that a Kitfile names; undefined where `model.path` is a path. The rule is that of the reference implementation
 * (KitOps, IsModelKitReference): a reference has a tag or a digest, so a path with `:` or `@` that parses as one is one.
 */
export function baseOf({ model }: Kitfile): KitBase | undefined {
  return model?.path === undefined ? undefined : parseBase(model.path);
}

export function parseBase(text: string): KitBase | undefined {
  if (!/[:@]/.test(text) || isContentDigest(text)) return undefined;
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const host = /[.:]/.test(first) || first === "localhost" ? first : undefined;
  const name = host === undefined ? text : text.slice(slash + 1);
  if (host !== undefined && !/^[A-Za-z0-9.-]+(:\d{1,5})?$/.test(host) && !/^\[[0-9a-f:]+\](:\d{1,5})?$/i.test(host))
    return undefined;
  try {
    const { repository, reference } = parseArtifactName(name);
    return Object.freeze({ text, ...(host !== undefined && { host }), repository, reference });
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
