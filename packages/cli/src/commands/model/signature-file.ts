/** Where `model sign` puts the signature, beside the files that it covers. */
export const signatureFile = "model.sig";
