import { type CliError, usageError } from "../../terminal/index.ts";

/** What a `pkcs11:` URI says (RFC 7512): which key of which token, by which library, and where its PIN is. */
export interface Pkcs11Uri {
  /** As it was written, without a PIN. */
  readonly text: string;
  readonly token: Readonly<Partial<Record<TokenAttribute, string>>>;
  readonly slotId?: number;
  /** CKA_LABEL. */
  readonly object?: string;
  /** CKA_ID. */
  readonly id?: Uint8Array;
  readonly modulePath?: string;
  readonly moduleName?: string;
  readonly pinSource?: string;
  readonly pinValue?: string;
}

/** Path attributes that are compared with what a token, its slot and the library say of themselves. */
export const tokenAttributes = [
  "token",
  "manufacturer",
  "model",
  "serial",
  "slot-description",
  "slot-manufacturer",
  "library-manufacturer",
  "library-description",
] as const;
export type TokenAttribute = (typeof tokenAttributes)[number];

const pathAttributes: readonly string[] = [...tokenAttributes, "slot-id", "object", "type", "id"];
const queryAttributes: readonly string[] = ["module-path", "module-name", "pin-source", "pin-value"];

/**
 * Reads a URI of RFC 7512, section 2.3. An attribute that is not understood might be what tells two keys apart, so it is refused.
 *
 * @throws CliError usage naming the attribute, and no PIN
 */
export function parsePkcs11Uri(uri: string): Pkcs11Uri {
  const [path = "", query, ...rest] = uri.slice("pkcs11:".length).split("?");
  if (rest.length > 0) throw wrong("has more than one question mark");
  const inPath = attributes(path, ";", pathAttributes);
  const inQuery = attributes(query ?? "", "&", queryAttributes);
  if (inQuery.has("pin-source") && inQuery.has("pin-value")) throw wrong("has both pin-source and pin-value");
  const type = text(inPath, "type");
  if (type !== undefined && type !== "private") {
    throw wrong(`is of type ${type}`, "signing needs the private key: write type=private, or leave it out");
  }
  const slotId = text(inPath, "slot-id");
  if (slotId !== undefined && !/^\d{1,15}$/.test(slotId)) throw wrong("has a slot-id that is no number");
  const token = Object.fromEntries(
    tokenAttributes.flatMap((name) => (inPath.has(name) ? [[name, text(inPath, name)!]] : [])),
  );
  return Object.freeze({
    text: query === undefined ? uri : `pkcs11:${path}`,
    token,
    ...optional("slotId", slotId === undefined ? undefined : Number(slotId)),
    ...optional("object", text(inPath, "object")),
    ...optional("id", inPath.get("id")),
    ...optional("modulePath", text(inQuery, "module-path")),
    ...optional("moduleName", text(inQuery, "module-name")),
    ...optional("pinSource", text(inQuery, "pin-source")),
    ...optional("pinValue", text(inQuery, "pin-value")),
  });
}

function attributes(part: string, separator: string, known: readonly string[]): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  if (part === "") return found;
  for (const item of part.split(separator)) {
    const at = item.indexOf("=");
    const name = item.slice(0, Math.max(at, 0));
    if (at < 1) throw wrong(`has a part without a name: ${item === "" ? "an empty one" : item.slice(0, 40)}`);
    if (!known.includes(name)) throw wrong(`has the attribute ${name}`, `known here: ${known.join(", ")}`);
    if (found.has(name)) throw wrong(`has ${name} twice`);
    found.set(name, percentDecoded(name, item.slice(at + 1)));
  }
  return found;
}

/** RFC 3986, 2.1. An id is octets, all others are UTF-8. */
function percentDecoded(name: string, value: string): Uint8Array {
  if (/%(?![0-9a-fA-F]{2})/.test(value)) throw wrong(`has a % in ${name} that two hex digits do not follow`);
  const bytes = value.replace(/%([0-9a-fA-F]{2})|[^%]+/g, (part, hex: string | undefined) =>
    hex === undefined ? Buffer.from(part, "utf8").toString("latin1") : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Uint8Array.from(Buffer.from(bytes, "latin1"));
}

function text(found: ReadonlyMap<string, Uint8Array>, name: string): string | undefined {
  const bytes = found.get(name);
  if (bytes === undefined) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw wrong(`has ${name} in something else than UTF-8`);
  }
}

function optional<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [name]: value } as Partial<Record<K, V>>);
}

function wrong(what: string, hint = "write pkcs11:token=NAME;object=NAME?module-path=/path/to/library.so"): CliError {
  return usageError(`the pkcs11: URI ${what}`, hint);
}
