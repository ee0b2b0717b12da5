export { type Attachment, attach, attachmentManifest } from "./attach.ts";
export {
  type AttachedStatement,
  containerSignatureStatement,
  containerSignatureType,
  verifyAttachment,
} from "./attached-statement.ts";
export {
  bundleMediaType,
  certificateBundle,
  keyBundle,
  keyHint,
  type ModelBundle,
  parseModelBundle,
  signerBundle,
  signForBundle,
  unnamedEnvelope,
  type VerificationMaterial,
} from "./bundle.ts";
export { defaultIgnoredPaths, withoutIgnored } from "./ignored-paths.ts";
export { type KeylessOptions, keylessSigner, publicFulcioUrl, publicRekorUrl } from "./keyless/sign.ts";
export { isKeyless, keylessSigners, keylessVerifier, requireTrustedRoot } from "./keyless/signers.ts";
export { readTrustedRoot } from "./keyless/trusted-root.ts";
export type { KeylessTrust } from "./keyless/verify.ts";
export { NotMade } from "./not-made.ts";
export {
  attachNotation,
  type NotationFormat,
  type NotationOptions,
  notationType,
  signNotation,
} from "./notation/sign.ts";
export { type NotationSigner, notationSigner, notationSignerFromRsa } from "./notation/signer.ts";
export { type NotationCheck, type NotationTrust, type VerifiedNotation, verifyNotation } from "./notation/verify.ts";
export type { Serialization } from "./resources.ts";
export { readRevocationLists } from "./revocation.ts";
export { type SignedModel, type SignOptions, signModel } from "./sign-model.ts";
export { type ModelCheck, type ModelReport, requireGood, type VerifyOptions, verifyModel } from "./verify-model.ts";
export type { BundleSigner, ModelTrust } from "./verify-signature.ts";
