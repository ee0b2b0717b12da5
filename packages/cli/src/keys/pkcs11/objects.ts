import { toHex } from "@tally/evidence";
import { usageError } from "../../terminal/index.ts";
import type { Cryptoki } from "./cryptoki.ts";
import { rv } from "./return-values.ts";
import { readUlong, requireOk } from "./slots.ts";

/** CK_ATTRIBUTE_TYPE. */
export const attribute = {
  class: 0x00,
  label: 0x03,
  value: 0x11,
  keyType: 0x100,
  id: 0x102,
  sign: 0x108,
  publicKeyInfo: 0x129,
  ecParams: 0x180,
  ecPoint: 0x181,
  alwaysAuthenticate: 0x202,
} as const;

/** CK_OBJECT_CLASS. */
export const objectClass = { certificate: 1, publicKey: 2, privateKey: 3 } as const;

/** A template's value: a CK_ULONG, or bytes. */
export type AttributeValue = number | Uint8Array;
export type Template = readonly (readonly [number, AttributeValue])[];

/** More objects than anybody tells apart by a URI. */
const mostObjects = 64;
const largestAttribute = 65_536;

/** Handles of the objects that have all these attributes. */
export async function findObjects(cryptoki: Cryptoki, session: number, template: Template): Promise<readonly number[]> {
  using memory = cryptoki.memory();
  // CK_ATTRIBUTE: type, pointer, length; 24 bytes.
  const list = memory.block(template.length * 24);
  const view = new DataView(list.bytes.buffer, list.bytes.byteOffset);
  for (const [i, [type, value]] of template.entries()) {
    const held = memory.holding(typeof value === "number" ? ulong(value) : value);
    view.setBigUint64(i * 24, BigInt(type), true);
    view.setBigUint64(i * 24 + 8, held.address, true);
    view.setBigUint64(i * 24 + 16, BigInt(held.bytes.length), true);
  }
  requireOk(
    "the token's objects cannot be looked for",
    await cryptoki.call("C_FindObjectsInit", session, list.address, template.length),
  );
  const [handles, count] = [memory.block(mostObjects * 8), memory.block(8)];
  const result = await cryptoki.call("C_FindObjects", session, handles.address, mostObjects, count.address);
  await cryptoki.call("C_FindObjectsFinal", session);
  requireOk("the token's objects cannot be listed", result);
  const found = Math.min(readUlong(count.bytes, 0), mostObjects);
  return Array.from({ length: found }, (_, i) => readUlong(handles.bytes, i * 8));
}

/** One attribute's bytes; undefined where the object has none, or keeps it to itself. */
export async function readAttribute(
  cryptoki: Cryptoki,
  session: number,
  object: number,
  type: number,
): Promise<Uint8Array | undefined> {
  using memory = cryptoki.memory();
  const list = memory.block(24);
  const view = new DataView(list.bytes.buffer, list.bytes.byteOffset);
  view.setBigUint64(0, BigInt(type), true);
  if ((await cryptoki.call("C_GetAttributeValue", session, object, list.address, 1)) !== rv.ok) return undefined;
  const length = readUlong(list.bytes, 16);
  if (length === 0 || length > largestAttribute) return undefined;
  const value = memory.block(length);
  view.setBigUint64(8, value.address, true);
  if ((await cryptoki.call("C_GetAttributeValue", session, object, list.address, 1)) !== rv.ok) return undefined;
  return value.bytes.slice(0, Math.min(length, readUlong(list.bytes, 16)));
}

/** The one private key that fits. @throws CliError usage telling those that are there apart */
export async function findPrivateKey(
  cryptoki: Cryptoki,
  session: number,
  { object, id, text }: { readonly object?: string; readonly id?: Uint8Array; readonly text: string },
): Promise<number> {
  const wanted: Template = [
    [attribute.class, objectClass.privateKey],
    ...(object === undefined ? [] : [[attribute.label, new TextEncoder().encode(object)] as const]),
    ...(id === undefined ? [] : [[attribute.id, id] as const]),
  ];
  const found = await findObjects(cryptoki, session, wanted);
  if (found.length === 1) return found[0]!;
  const describe = async (handles: readonly number[]) =>
    (await Promise.all(handles.slice(0, 8).map((handle) => describeObject(cryptoki, session, handle)))).join(", ");
  if (found.length > 1) {
    throw usageError(`${found.length} private keys fit ${text}: ${await describe(found)}`, "name one by its ;id=…");
  }
  const all = await findObjects(cryptoki, session, [[attribute.class, objectClass.privateKey]]);
  const there = all.length === 0 ? "it has none" : `it has ${await describe(all)}`;
  throw usageError(`the token has no private key that fits ${text}: ${there}`, "check object and id in the URI");
}

/** "object=release;id=%01". */
async function describeObject(cryptoki: Cryptoki, session: number, handle: number): Promise<string> {
  const [label, id] = await Promise.all([
    readAttribute(cryptoki, session, handle, attribute.label),
    readAttribute(cryptoki, session, handle, attribute.id),
  ]);
  const parts = [
    ...(label === undefined ? [] : [`object=${encodeURIComponent(new TextDecoder().decode(label))}`]),
    ...(id === undefined ? [] : [`id=${toHex(id).replace(/../g, "%$&")}`]),
  ];
  return parts.join(";") || "one without a name";
}

function ulong(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}
