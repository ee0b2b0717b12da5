import { CliError, exitCodes, usageError } from "../../terminal/index.ts";
import type { Cryptoki } from "./cryptoki.ts";
import { nameOfReturnValue, rv } from "./return-values.ts";
import { type Pkcs11Uri, type TokenAttribute, tokenAttributes } from "./uri.ts";

/** A token as it is right now. */
export interface Token {
  readonly slot: number;
  readonly says: Readonly<Partial<Record<TokenAttribute, string>>>;
  /** Its label. */
  readonly name: string;
  readonly loginRequired: boolean;
  /** It asks for the PIN by itself, at keys of its own. */
  readonly ownPinPad: boolean;
  readonly pinLocked: boolean;
  readonly lastTry: boolean;
}

/** CK_TOKEN_INFO flags. */
const flag = {
  loginRequired: 0x4,
  ownPinPad: 0x100,
  initialized: 0x400,
  lastTry: 0x20000,
  pinLocked: 0x40000,
} as const;

/** The one token that fits. @throws CliError usage naming those that are there */
export async function findToken(cryptoki: Cryptoki, uri: Pkcs11Uri): Promise<Token> {
  const library = await libraryWords(cryptoki);
  const all: Token[] = [];
  for (const slot of await slotsWithTokens(cryptoki)) {
    const token = await readToken(cryptoki, slot, library);
    if (token !== undefined) all.push(token);
  }
  const fitting = all.filter(
    ({ says, slot }) =>
      (uri.slotId === undefined || uri.slotId === slot) &&
      tokenAttributes.every((name) => uri.token[name] === undefined || uri.token[name] === says[name]),
  );
  const [token, ...others] = fitting;
  if (token !== undefined && others.length === 0) return token;
  const list = (tokens: readonly Token[]) =>
    tokens.map(({ name, says }) => `${name} (serial ${says.serial})`).join(", ");
  if (token === undefined) {
    const there = all.length === 0 ? "no token is there" : `there are ${list(all)}`;
    throw usageError(`no token fits ${uri.text}: ${there}`, "is it plugged in, and is its name right?");
  }
  throw usageError(`${fitting.length} tokens fit ${uri.text}: ${list(fitting)}`, "add ;serial=… to the URI");
}

async function slotsWithTokens(cryptoki: Cryptoki): Promise<readonly number[]> {
  for (;;) {
    using memory = cryptoki.memory();
    const count = memory.block(8);
    requireOk("the tokens cannot be listed", await cryptoki.call("C_GetSlotList", 1, 0n, count.address));
    const expected = readUlong(count.bytes, 0);
    if (expected === 0) return [];
    const ids = memory.block(expected * 8);
    const result = await cryptoki.call("C_GetSlotList", 1, ids.address, count.address);
    // One was plugged in meanwhile.
    if (result === rv.bufferTooSmall) continue;
    requireOk("the tokens cannot be listed", result);
    return Array.from({ length: Math.min(expected, readUlong(count.bytes, 0)) }, (_, i) => readUlong(ids.bytes, i * 8));
  }
}

async function readToken(cryptoki: Cryptoki, slot: number, library: Token["says"]): Promise<Token | undefined> {
  using memory = cryptoki.memory();
  // CK_TOKEN_INFO has 208 bytes, CK_SLOT_INFO 112.
  const [info, place] = [memory.block(256), memory.block(128)];
  // A token that goes while it is asked is not there.
  if ((await cryptoki.call("C_GetTokenInfo", slot, info.address)) !== rv.ok) return undefined;
  if ((await cryptoki.call("C_GetSlotInfo", slot, place.address)) !== rv.ok) return undefined;
  const flags = readUlong(info.bytes, 96);
  if ((flags & flag.initialized) === 0) return undefined;
  const says = {
    ...library,
    token: padded(info.bytes, 0, 32),
    manufacturer: padded(info.bytes, 32, 32),
    model: padded(info.bytes, 64, 16),
    serial: padded(info.bytes, 80, 16),
    "slot-description": padded(place.bytes, 0, 64),
    "slot-manufacturer": padded(place.bytes, 64, 32),
  };
  return {
    slot,
    says,
    name: says.token,
    loginRequired: (flags & flag.loginRequired) !== 0,
    ownPinPad: (flags & flag.ownPinPad) !== 0,
    pinLocked: (flags & flag.pinLocked) !== 0,
    lastTry: (flags & flag.lastTry) !== 0,
  };
}

async function libraryWords(cryptoki: Cryptoki): Promise<Token["says"]> {
  using memory = cryptoki.memory();
  const info = memory.block(96);
  requireOk("the library cannot be asked", await cryptoki.call("C_GetInfo", info.address));
  return {
    "library-manufacturer": padded(info.bytes, 2, 32),
    "library-description": padded(info.bytes, 48, 32),
  };
}

/** CK_ULONG on the platforms where this runs: 64 bits. What is above 2^53 is no count and no handle of any library. */
export function readUlong(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true));
}

/** UTF-8, padded with blanks and not ended with a zero byte. */
function padded(bytes: Uint8Array, at: number, length: number): string {
  return new TextDecoder().decode(bytes.slice(at, at + length)).replace(/[ \0]+$/, "");
}

/** @throws CliError with the library's answer */
export function requireOk(what: string, result: number): void {
  if (result === rv.ok) return;
  throw new CliError(exitCodes.unreachable, `${what}: the PKCS #11 library answered ${nameOfReturnValue(result)}`);
}
