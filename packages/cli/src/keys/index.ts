export { encryptPrivateKey } from "./encrypted-key.ts";
export { newPassphrase } from "./passphrase.ts";
export {
  type KeyFlags,
  readSigningKey,
  type SigningKey,
  withPassphrase,
} from "./signing-key.ts";
