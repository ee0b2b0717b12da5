import type { JsonObject } from "../content/i-json.ts";
import type { JsonField } from "../content/json-field.ts";

/**
 * Sigstore trusted roots by name. Their own format is sigstore's and is read by its library, in the room that has it; here it is
 * checked that they name an authority and a log at all.
 */
export function readTrustRoots(field: JsonField): Readonly<Record<string, JsonObject>> {
  const roots = Object.keys(field.object()).map((name): [string, JsonObject] => {
    const root = field.at(name);
    if (!/^[\w.-]{1,255}$/.test(name))
      throw root.fail("a root's name has letters, digits, dots, dashes and underscores");
    for (const list of ["certificateAuthorities", "tlogs"]) root.at(list).nonEmptyList((item) => item.object());
    return [name, root.object()];
  });
  return Object.freeze(Object.fromEntries(roots));
}
