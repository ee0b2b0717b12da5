import { createPrivateKey } from "node:crypto";
import { statementSignerFromPem } from "@tally/evidence";
import { type NotationSigner, notationSigner, notationSignerFromRsa } from "@tally/oci";
import type { Terminal } from "../terminal/index.ts";
import { openPrivatePem } from "./key-file.ts";
import { type KeyFlags, readSigningKey } from "./signing-key.ts";

/** Who signs for the Notary Project; disposing of it closes what holds the key. */
export interface NotationKey extends AsyncDisposable {
  readonly signer: NotationSigner;
}

/**
 * Opens `--key` for a signature of the Notary Project, which knows RSA keys beside those that Tally signs with.
 *
 * @throws CliError usage naming the key; OciError `signature-invalid` for a kind of key that it does not know
 */
export async function openNotationKey(terminal: Terminal, flags: KeyFlags): Promise<NotationKey> {
  const { key, passphraseFile } = flags;
  if (key.startsWith("pkcs11:") || key.includes(",")) {
    const opened = await readSigningKey(terminal, flags);
    return {
      signer: notationSigner(opened.signer),
      [Symbol.asyncDispose]: async () => opened[Symbol.asyncDispose](),
    };
  }
  const signer = await openPrivatePem(terminal, key, passphraseFile, (pem) =>
    createPrivateKey(pem).asymmetricKeyType === "rsa"
      ? notationSignerFromRsa(pem)
      : notationSigner(statementSignerFromPem(pem)),
  );
  return { signer, [Symbol.asyncDispose]: async () => {} };
}
