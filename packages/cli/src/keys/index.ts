export { encryptPrivateKey } from "./encrypted-key.ts";
export {
  type KeylessTrustFlags,
  openSigningKey,
  readKeylessTrust,
  type SigningFlags,
  withKeyless,
  withKeylessTrust,
} from "./keyless.ts";
export { openNotationKey } from "./notation-key.ts";
export { newPassphrase } from "./passphrase.ts";
export {
  type KeyFlags,
  readSigningKey,
  type SigningKey,
  withPassphrase,
} from "./signing-key.ts";
