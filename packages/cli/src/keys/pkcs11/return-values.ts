// CK_RV of PKCS #11 v2.40 (base specification, 2.1 and 5.1), those that have words of their own here.

export const rv = {
  ok: 0,
  hostMemory: 0x02,
  attributeSensitive: 0x11,
  attributeTypeInvalid: 0x12,
  deviceError: 0x30,
  deviceMemory: 0x31,
  deviceRemoved: 0x32,
  keyHandleInvalid: 0x60,
  keyFunctionNotPermitted: 0x68,
  mechanismInvalid: 0x70,
  objectHandleInvalid: 0x82,
  pinIncorrect: 0xa0,
  pinInvalid: 0xa1,
  pinLenRange: 0xa2,
  pinExpired: 0xa3,
  pinLocked: 0xa4,
  sessionClosed: 0xb0,
  sessionHandleInvalid: 0xb3,
  tokenNotPresent: 0xe0,
  tokenNotRecognized: 0xe1,
  userAlreadyLoggedIn: 0x100,
  userNotLoggedIn: 0x101,
  userPinNotInitialized: 0x102,
  bufferTooSmall: 0x150,
  alreadyInitialized: 0x191,
} as const;

const names = new Map<number, string>(Object.entries(rv).map(([name, code]) => [code, name]));

/** "0x32 (deviceRemoved)". */
export function nameOfReturnValue(code: number): string {
  const name = names.get(code);
  return `0x${code.toString(16)}${name === undefined ? "" : ` (${name})`}`;
}

/** What a library answers when a token is gone; which of them depends on how the library notices. */
const gone = new Set<number>([
  rv.deviceRemoved,
  rv.tokenNotPresent,
  rv.tokenNotRecognized,
  rv.sessionClosed,
  rv.sessionHandleInvalid,
  rv.keyHandleInvalid,
  rv.objectHandleInvalid,
]);

export function isGone(code: number): boolean {
  return gone.has(code);
}
