import { isAbsolute, relative, sep } from "node:path";

/** Where `model sign` puts the signature, beside the files that it covers. */
export const signatureFile = "model.sig";

/** The path as the model names it, if it lies in that folder. */
export function within(folder: string, path: string): readonly string[] {
  const inside = relative(folder, path).split(sep).join("/");
  return inside === "" || inside.startsWith("../") || isAbsolute(inside) ? [] : [inside];
}
