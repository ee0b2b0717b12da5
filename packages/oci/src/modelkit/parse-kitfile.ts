import { encodeJson, fromUtf8, type JsonValue, parseJson } from "@tally/evidence";
import { parseDocument } from "yaml";
import { OciError } from "../error.ts";
import { KitField } from "./kit-field.ts";
import type { Kitfile, KitModel } from "./kitfile.ts";

const largestKitfile = 1024 * 1024;

/**
 * Parses a Kitfile (YAML 1.2, core schema). Unknown fields, fields that come twice and YAML's own types beyond JSON's are
 * refused with `modelkit-invalid`.
 */
export function parseKitfile(text: string): Kitfile {
  if (text.length > largestKitfile) throw new OciError("too-large", "a Kitfile has at most 1 MiB");
  const reading = { layerInfo: false, unknownFields: "refuse" } as const;
  const kitfile = readKitfile(new KitField(parseYaml(text, "core"), parseYaml(text, "failsafe"), "", reading));
  requireJson(kitfile as unknown as JsonValue);
  return kitfile;
}

/** Parses the config of a ModelKit: the Kitfile as JSON. Fields of later versions are ignored. Throws `modelkit-invalid`. */
export function parseKitConfig(bytes: Uint8Array): Kitfile {
  let value: JsonValue;
  try {
    value = parseJson(fromUtf8(bytes));
  } catch (cause) {
    throw new OciError("modelkit-invalid", `the config of the ModelKit cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  return readKitfile(new KitField(value, value, "", { layerInfo: true, unknownFields: "ignore" }));
}

function parseYaml(text: string, schema: "core" | "failsafe"): unknown {
  const document = parseDocument(text, { schema, strict: true, uniqueKeys: true, version: "1.2" });
  // Of a tag that the failsafe schema does not know it only warns; the core schema decides which are allowed.
  const [problem] = [...document.errors, ...(schema === "core" ? document.warnings : [])];
  if (problem !== undefined) {
    throw new OciError("modelkit-invalid", `the Kitfile is not plain YAML: ${problem.message}`, { cause: problem });
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new OciError("modelkit-invalid", `the Kitfile is not plain YAML: ${(cause as Error).message}`, { cause });
  }
}

function requireJson(value: JsonValue): void {
  try {
    encodeJson(value);
  } catch (cause) {
    throw new OciError("modelkit-invalid", `the Kitfile holds what JSON cannot: ${(cause as Error).message}`, {
      cause,
    });
  }
}

const text = (field: KitField) => field.text();
const json = (field: KitField) => field.json();

function readKitfile(root: KitField): Kitfile {
  root.only("manifestVersion", "package", "model", "code", "datasets", "docs");
  if (root.at("manifestVersion").value === undefined) {
    throw new OciError("modelkit-invalid", "the Kitfile has no manifestVersion", {
      hint: "begin it with: manifestVersion: 1.0.0",
    });
  }
  return Object.freeze({
    manifestVersion: root.at("manifestVersion").text(),
    ...root.maybe("package", (field) => {
      field.only("name", "version", "description", "license", "authors");
      return {
        ...texts(field, "name", "version", "description", "license"),
        ...field.maybe("authors", (f) => f.list(text)),
      };
    }),
    ...root.maybe("model", readModel),
    ...root.maybe("code", (field) =>
      field.list((item) => {
        item.only("path", "description", "license");
        return { ...texts(item, "path", "description", "license"), ...item.layer() };
      }),
    ),
    ...root.maybe("datasets", (field) =>
      field.list((item) => {
        item.only("name", "path", "description", "license", "parameters");
        const parameters = item.maybe("parameters", json);
        return { ...texts(item, "name", "path", "description", "license"), ...parameters, ...item.layer() };
      }),
    ),
    ...root.maybe("docs", (field) =>
      field.list((item) => {
        item.only("path", "description");
        return { ...texts(item, "path", "description"), ...item.layer() };
      }),
    ),
  });
}

function readModel(field: KitField): KitModel {
  const names = ["name", "path", "license", "framework", "format", "version", "description"] as const;
  field.only(...names, "parts", "parameters");
  return {
    ...texts(field, ...names),
    ...field.maybe("parts", (parts) =>
      parts.list((part) => {
        part.only("name", "path", "license", "type");
        return { ...texts(part, "name", "path", "license", "type"), ...part.layer() };
      }),
    ),
    ...field.maybe("parameters", json),
    ...field.layer(),
  };
}

function texts<const Names extends readonly string[]>(
  field: KitField,
  ...names: Names
): { [Name in Names[number]]?: string } {
  return Object.assign({}, ...names.map((name) => field.maybe(name, text)));
}
