import { encodeJson, type JsonObject, utf8 } from "@tally/evidence";
import { stringify } from "yaml";
import type { Kitfile } from "./kitfile.ts";
import { parseKitfile } from "./parse-kitfile.ts";

/** The Kitfile as YAML for people: without digests, which only the config has. `parseKitfile` reads the same back. */
export function formatKitfile(kitfile: Kitfile): string {
  return stringify(withoutLayers(kitfile), { version: "1.2", schema: "core", lineWidth: 0 });
}

/** The Kitfile as the config of a ModelKit: RFC 8785 JSON, so that the same Kitfile gives the same bytes. */
export function encodeKitConfig(kitfile: Kitfile): Uint8Array {
  return encodeJson(kitfile as unknown as JsonObject);
}

/** Checks a Kitfile made in code by the rules for YAML. Throws `modelkit-invalid`. */
export function checkKitfile(kitfile: Kitfile): Kitfile {
  return parseKitfile(new TextDecoder().decode(utf8(formatKitfile(kitfile))));
}

function withoutLayers(kitfile: Kitfile): Kitfile {
  const strip = <Part extends { digest?: string; diffId?: string }>({ digest: _, diffId: __, ...part }: Part) => part;
  const { model, code, datasets, docs } = kitfile;
  return {
    ...kitfile,
    ...(model && { model: { ...strip(model), ...(model.parts && { parts: model.parts.map(strip) }) } }),
    ...(code && { code: code.map(strip) }),
    ...(datasets && { datasets: datasets.map(strip) }),
    ...(docs && { docs: docs.map(strip) }),
  };
}
