import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type Digest,
  type Envelope,
  type JsonObject,
  makeStatement,
  parseEnvelope,
  parseJson,
  publicIdentityFromPem,
  subjectDigests,
  verifyEnvelope,
} from "@tally/evidence";
import { attach, keyBundle, parseArtifactName, signerBundle, signForBundle, unnamedEnvelope } from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../../keys/index.ts";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { CliError, exitCodes, print, say, type Terminal, usageError } from "../../terminal/index.ts";
import { parsePredicateType } from "./predicate-type.ts";

interface Options extends SigningFlags, PlaneFlags {
  readonly type?: string;
  readonly predicate?: string;
  readonly statement?: string;
  readonly signer?: string;
}

/** `tally artifact attest REF`: a signed statement about an artifact, which hangs on it in the registry. */
export const attest: Register = (program, { terminal }) => {
  const command = program
    .command("attest")
    .description("attach a statement to an artifact: one that is signed now, or one that was signed already")
    .argument("<ref>", "repository:tag or repository@sha256:…")
    .option("--predicate <file>", "what is said, a JSON object")
    .option(
      "--type <type>",
      "its predicate type: a URI, or a short name such as slsaprovenance1, spdxjson, cyclonedx",
      parsePredicateType,
    )
    .option("--key <key>", "private key of who says so, P-256 or P-384")
    .option("--statement <file>", "or an envelope that is signed: what `tally statement sign` or `get` gives")
    .option("--signer <file>", "with --statement: public key of who signed it");
  withJson(withPlane(withKeyless(withPassphrase(command)))).action(async (ref: string, options: Options) => {
    const { repository, reference } = parseArtifactName(ref);
    const target = repositoryOf(await connect(terminal, options), repository);
    const { descriptor: subject, digest } = await target.resolve(reference);
    const bundle = await bundleFor(terminal, digest, options);
    const attached = await attach(target, { subject, bundle, created: new Date() });
    print(terminal, options.json, { artifact: digest, attached: attached.digest }, () => [attached.digest]);
    say(terminal, `attested ${repository}@${digest}`);
  });
};

async function bundleFor(terminal: Terminal, artifact: Digest, options: Options): Promise<Uint8Array> {
  const { predicate, type, statement, signer } = options;
  const read = (path: string) => readFile(resolve(terminal.cwd, path), "utf8");
  if (statement !== undefined && signer !== undefined && predicate === undefined) {
    return existing(parseEnvelope(Buffer.from(await read(statement))), await read(signer), artifact, statement);
  }
  if (predicate === undefined || type === undefined || statement !== undefined) {
    throw usageError(
      "what is to be said?",
      "give --predicate FILE, --type TYPE and --key, or --statement ENVELOPE and --signer PUBLIC_KEY",
    );
  }
  await using key = await openSigningKey(terminal, options);
  const said = parseJson(await read(predicate));
  if (typeof said !== "object" || said === null || Array.isArray(said))
    throw usageError(`${predicate} is no JSON object`);
  const envelope = await signForBundle(makeStatement([{ digest: artifact }], type, said as JsonObject), key.signer);
  return signerBundle(envelope, key.signer);
}

/** A bundle holds one signature: of an envelope with several, the one of the key that was named. */
function existing(envelope: Envelope, pem: string, artifact: Digest, file: string): Uint8Array {
  if (!subjectDigests(envelope.statement).includes(artifact)) {
    throw new CliError(exitCodes.verificationFailed, `${file} is not about ${artifact}`);
  }
  const identity = publicIdentityFromPem(pem);
  const { payload, payloadType } = envelope;
  const own = envelope.signatures.find(
    (one) => verifyEnvelope({ payload, payloadType, signatures: [one] }, [identity]).length > 0,
  );
  if (own === undefined) throw new CliError(exitCodes.verificationFailed, `${file} is not signed by that key`);
  return keyBundle(unnamedEnvelope(payload, own.signature), identity.spki);
}
