// Certificates for the suites here, made by openssl: a root, an intermediate authority, and a signer with a P-256,
// P-384 or RSA key.
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./tally.ts";

export interface Chain {
  /** Private key of the signer, PKCS #8 PEM. */
  readonly key: string;
  /** The signer's certificate. */
  readonly leaf: string;
  /** The intermediate's, then the root's. */
  readonly issuers: string;
  /** The signer's and all above it. */
  readonly whole: string;
  readonly root: string;
}

/** Makes files `<name>-*.pem` in the folder and returns their paths. `kind` of the signer's key: a curve, or `RSA-2048`. */
export async function makeChain(folder: string, name: string, kind = "P-256"): Promise<Chain> {
  const at = (what: string) => join(folder, `${name}-${what}.pem`);
  const config = join(folder, `${name}.cnf`);
  await writeFile(config, extensions);
  const key = async (what: string, group: string) => {
    const [, bits] = /^RSA-(\d+)$/.exec(group) ?? [];
    const [algorithm, wish] =
      bits === undefined ? ["EC", `ec_paramgen_curve:${group}`] : ["RSA", `rsa_keygen_bits:${bits}`];
    await openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", wish, "-out", at(`${what}-key`));
    await chmod(at(`${what}-key`), 0o600);
  };
  const subject = (what: string) => `/C=SE/ST=Test/O=${name}/CN=${name} ${what}`;
  await key("root", "P-256");
  await openssl(
    ...["req", "-x509", "-new", "-key", at("root-key"), "-days", "30", "-subj", subject("root"), "-out", at("root")],
    ...["-config", config, "-extensions", "authority"],
  );
  const issue = async (what: string, issuer: string, section: string) => {
    const request = join(folder, `${name}-${what}.csr`);
    await openssl("req", "-new", "-key", at(`${what}-key`), "-subj", subject(what), "-out", request, "-config", config);
    await openssl(
      ...["x509", "-req", "-in", request, "-CA", at(issuer), "-CAkey", at(`${issuer}-key`), "-CAcreateserial"],
      ...["-days", "30", "-extfile", config, "-extensions", section, "-out", at(what)],
    );
  };
  await key("intermediate", "P-256");
  await issue("intermediate", "root", "authority");
  await key("leaf", kind);
  await issue("leaf", "intermediate", "signer");
  const read = async (...parts: readonly string[]) =>
    (await Promise.all(parts.map((part) => readFile(at(part), "utf8")))).join("");
  await writeFile(at("issuers"), await read("intermediate", "root"));
  await writeFile(at("whole"), await read("leaf", "intermediate", "root"));
  return { key: at("leaf-key"), leaf: at("leaf"), issuers: at("issuers"), whole: at("whole"), root: at("root") };
}

const extensions = `[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
`;

async function openssl(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await run("openssl", args);
  assert.equal(code, 0, stderr);
}
