import { hash } from "node:crypto";
import { concatBytes, type PublicIdentity, type Signer, utf8, verifyWithIdentity } from "@tally/evidence";
import { CliError, exitCodes, say, type Terminal, usageError } from "../../terminal/index.ts";
import { type Cryptoki, openCryptoki } from "./cryptoki.ts";
import { modulePathOf } from "./module-path.ts";
import { attribute, findPrivateKey, readAttribute } from "./objects.ts";
import { pinFor } from "./pin.ts";
import { publicHalf } from "./public-half.ts";
import { isGone, nameOfReturnValue, rv } from "./return-values.ts";
import { findToken, readUlong, requireOk, type Token } from "./slots.ts";
import { type Pkcs11Uri, parsePkcs11Uri } from "./uri.ts";

/** CK_USER_TYPE. */
const user = { normal: 1, forThisUse: 2 } as const;
/** CKM_ECDSA over a hash, and CKM_EDDSA over the message. */
const mechanism = { ecdsa: 0x1041, eddsa: 0x1057 } as const;
/** CKF_SERIAL_SESSION; read-only. */
const serialSession = 4;

/**
 * Opens a key that never leaves its token, by a `pkcs11:` URI (RFC 7512).
 *
 * @param open loads the library
 * @throws CliError usage: no such token or key, several, a PIN that is wrong, locked or not set
 */
export async function openTokenSigner(
  terminal: Terminal,
  text: string,
  open: (path: string) => Promise<Cryptoki> = openCryptoki,
): Promise<Signer> {
  const uri = parsePkcs11Uri(text);
  const cryptoki = await open(modulePathOf(uri, terminal));
  let session: number | undefined;
  const close = async () => {
    if (session !== undefined) await cryptoki.call("C_CloseSession", session);
    session = undefined;
    await cryptoki.close();
  };
  try {
    const token = await findToken(cryptoki, uri);
    session = await openSession(cryptoki, token);
    const pin = token.loginRequired ? await logIn(cryptoki, session, token, uri, terminal) : undefined;
    const key = await findPrivateKey(cryptoki, session, uri);
    const identity = await publicHalf(cryptoki, session, key);
    const always = await readAttribute(cryptoki, session, key, attribute.alwaysAuthenticate);
    const use = { session, key, identity, token, pin: always?.[0] === 1 ? (pin ?? null) : undefined };
    let last: Promise<unknown> = Promise.resolve();
    return {
      keyId: identity.keyId,
      identity,
      // A session signs one thing at a time.
      sign: (bytes) => {
        const signing = last.then(() => sign(cryptoki, use, bytes));
        last = signing.catch(() => undefined);
        return signing;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openSession(cryptoki: Cryptoki, { slot, name }: Token): Promise<number> {
  using memory = cryptoki.memory();
  const session = memory.block(8);
  const result = await cryptoki.call("C_OpenSession", slot, serialSession, 0n, 0n, session.address);
  requireOk(`token ${name} opens no session`, result);
  return readUlong(session.bytes, 0);
}

/** @returns the PIN, where a key may ask for it again; null where the token asks the person by itself */
async function logIn(
  cryptoki: Cryptoki,
  session: number,
  token: Token,
  uri: Pkcs11Uri,
  terminal: Terminal,
): Promise<string | null> {
  if (token.pinLocked) throw locked(token);
  if (token.lastTry) say(terminal, `warning: the next wrong PIN locks token ${token.name}`);
  const pin = token.ownPinPad ? null : await pinFor(uri, token.name, terminal);
  if (pin === null) say(terminal, `type the PIN of token ${token.name} at its own keys`);
  const result = await callLogin(cryptoki, session, user.normal, pin);
  if (result === rv.ok || result === rv.userAlreadyLoggedIn) return pin;
  throw pinRefused(token, result);
}

function pinRefused(token: Token, result: number): CliError {
  switch (result) {
    case rv.pinIncorrect:
    case rv.pinInvalid:
    case rv.pinLenRange:
      return usageError(`that is not the PIN of token ${token.name}`, "a token locks after a few wrong ones");
    case rv.pinLocked:
      return locked(token);
    case rv.pinExpired:
      return usageError(`the PIN of token ${token.name} has expired`, "set a new one with the token's own tool");
    case rv.userPinNotInitialized:
      return usageError(
        `token ${token.name} has no PIN for its user yet`,
        "set one with the security officer's: pkcs11-tool --init-pin",
      );
    default:
      return asFailure(token, "lets nobody log in", result);
  }
}

function locked({ name }: Token): CliError {
  return usageError(
    `token ${name} is locked: too many wrong PINs were tried`,
    "its security officer unlocks it, with the token's own tool or pkcs11-tool --init-pin",
  );
}

async function callLogin(cryptoki: Cryptoki, session: number, who: number, pin: string | null): Promise<number> {
  using memory = cryptoki.memory();
  if (pin === null) return cryptoki.call("C_Login", session, who, 0n, 0);
  const held = memory.holding(utf8(pin));
  return await cryptoki.call("C_Login", session, who, held.address, held.bytes.length);
}

interface Use {
  readonly session: number;
  readonly key: number;
  readonly identity: PublicIdentity;
  readonly token: Token;
  /** Of a key that wants the PIN for each signature; null: at the token's own keys. */
  readonly pin: string | null | undefined;
}

async function sign(cryptoki: Cryptoki, use: Use, message: Uint8Array): Promise<Uint8Array> {
  const { session, key, identity, token, pin } = use;
  using memory = cryptoki.memory();
  const isEd25519 = identity.algorithm === "ed25519";
  const how = memory.block(24);
  new DataView(how.bytes.buffer).setBigUint64(0, BigInt(isEd25519 ? mechanism.eddsa : mechanism.ecdsa), true);
  const begun = await cryptoki.call("C_SignInit", session, how.address, key);
  if (begun !== rv.ok) throw asFailure(token, "does not sign", begun);
  if (pin !== undefined) {
    const again = await callLogin(cryptoki, session, user.forThisUse, pin);
    if (again !== rv.ok) throw pinRefused(token, again);
  }
  const input = memory.holding(isEd25519 ? message : hashed(identity, message));
  const [output, length] = [memory.block(256), memory.holding(Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0))];
  const result = await cryptoki.call(
    "C_Sign",
    session,
    input.address,
    input.bytes.length,
    output.address,
    length.address,
  );
  if (result !== rv.ok) throw asFailure(token, "does not sign", result);
  const raw = output.bytes.slice(0, Math.min(256, readUlong(length.bytes, 0)));
  const signature = isEd25519 ? raw : derOf(raw);
  if (verifyWithIdentity(identity, message, signature)) return signature;
  throw new CliError(
    exitCodes.verificationFailed,
    `what token ${token.name} signed does not verify with the public key that it shows for that key`,
    { hint: "is the public key, or certificate, of that id another key's?" },
  );
}

function hashed({ algorithm }: PublicIdentity, message: Uint8Array): Uint8Array {
  return new Uint8Array(hash(algorithm === "p-384" ? "sha384" : "sha256", message, "buffer"));
}

/** PKCS #11 gives r and s one after the other; statements have them as Ecdsa-Sig-Value (RFC 3279, 2.2.3). */
function derOf(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const integers = [raw.subarray(0, half), raw.subarray(half)].map((bytes) => {
    const first = bytes.findIndex((byte) => byte !== 0);
    const least = first < 0 ? bytes.subarray(-1) : bytes.subarray(first);
    const positive = least[0]! > 0x7f ? concatBytes(Uint8Array.of(0), least) : least;
    return concatBytes(Uint8Array.of(0x02, positive.length), positive);
  });
  const both = concatBytes(...integers);
  return concatBytes(Uint8Array.of(0x30, both.length), both);
}

function asFailure(token: Token, what: string, result: number): CliError {
  if (isGone(result)) {
    return new CliError(exitCodes.unreachable, `token ${token.name} is gone: nothing was signed`, {
      hint: "put it back, and run the command again",
    });
  }
  const hints: Readonly<Record<number, string>> = {
    [rv.mechanismInvalid]: "the token cannot sign with a key of that kind",
    [rv.keyFunctionNotPermitted]: "the key was not made for signing (CKA_SIGN)",
  };
  return new CliError(
    exitCodes.unreachable,
    `token ${token.name} ${what}: the PKCS #11 library answered ${nameOfReturnValue(result)}`,
    hints[result] === undefined ? {} : { hint: hints[result] },
  );
}
