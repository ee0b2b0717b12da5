export {
  generatePrivateKeyPem,
  publicKeyOfPem,
  randomBytes,
  signWithPem,
  verifyEcdsa,
  verifyEd25519,
  verifyMlDsa44,
} from "#crypto";
export * from "./api/index.ts";
export * from "./bundle/index.ts";
export * from "./bytes.ts";
export * from "./cbor/index.ts";
export * from "./content/index.ts";
export * from "./digest.ts";
export * from "./entries/index.ts";
export * from "./error.ts";
export * from "./merkle/index.ts";
export * from "./note/index.ts";
export * from "./runs/index.ts";
export * from "./scitt/index.ts";
export * from "./statements/index.ts";
export * from "./trust/index.ts";
export * from "./verify/index.ts";
