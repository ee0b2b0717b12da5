import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Digest, EvidenceError } from "@tally/evidence";
import {
  bundleMediaType,
  containerSignatureType,
  type Descriptor,
  type ModelTrust,
  type NotationCheck,
  type NotationTrust,
  NotMade,
  notationType,
  OciError,
  parseArtifactName,
  type RegistryClient,
  verifyAttachment,
  verifyNotation,
} from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { type KeylessTrustFlags, readKeylessTrust, withKeylessTrust } from "../../keys/index.ts";
import { withJson, withPlane } from "../../options.ts";
import { readPeopleKeys } from "../../people-keys.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { checkSigners, type SignerCheck, type SignerWorld } from "../../signer-checks.ts";
import { actionOf } from "../../statement-actions.ts";
import { exits, marks, print, say, settings, type Terminal, table, usageError } from "../../terminal/index.ts";
import { readTrustFile } from "../../trust-file.ts";
import { type NotationTrustFlags, readNotationTrust, withNotationTrust } from "./notation-flags.ts";
import { parsePredicateType } from "./predicate-type.ts";

interface Options extends PlaneFlags, KeylessTrustFlags, NotationTrustFlags {
  readonly key?: string;
  readonly certificateChain?: string;
  readonly type?: string;
}

/** What came of one signature or attestation. */
interface Judged {
  readonly attached: string;
  readonly result: "good" | "bad" | "not made";
  readonly type: string;
  readonly message: string;
  readonly predicate?: unknown;
  /** By a trust file: each check of the signature. Of a Notary Project signature: what was looked at beside it. */
  readonly checks?: readonly (SignerCheck | NotationCheck)[];
}

/** Whom to believe, and of which repository the artifact is. */
interface Judge {
  readonly repository: string;
  readonly believed: ModelTrust & NotationTrust;
  readonly world?: SignerWorld;
}

/** Of each kind: whoever may push may attach more than anybody can look at. */
const mostAttached = 1000;
const predicateTypeAnnotation = "dev.sigstore.bundle.predicateType";
const largestAttached = 64 * 1024 * 1024;

/** `tally artifact verify REF`: which signatures or attestations of an artifact hold. */
export const verify: Register = (program, { terminal, finish }) => {
  const command = program
    .command("verify")
    .description("verify what is attached to an artifact: it takes one that holds, whatever else hangs there")
    .argument("<ref>", "repository:tag or repository@sha256:…")
    .option("--key <file>", "public key of who is to have signed")
    .option("--certificate-chain <file>", "certificates that are trusted: for notation, and signatures by certificate")
    .option(
      "--trust <file>",
      "or the trust file: anyone in it who may sign models of this repository, or say this; TALLY_TRUST",
    )
    .option(
      "--type <type>",
      "attestations of this predicate type, instead of signatures: a URI, or a short name such as slsaprovenance1",
      parsePredicateType,
    );
  withJson(withPlane(withKeylessTrust(withNotationTrust(command)))).action(async (ref: string, options: Options) => {
    const { repository, reference } = parseArtifactName(ref);
    const client = await connect(terminal, options);
    const judging = await judgeBy(terminal, options, client, repository);
    const source = repositoryOf(client, repository);
    const { descriptor: subject, digest } = await source.resolve(reference);
    const judged: Judged[] = [];
    const types = options.type === undefined ? [bundleMediaType, notationType] : [bundleMediaType];
    const asked = options.type === undefined ? [containerSignatureType, notationType] : [options.type];
    const others = new Set<string>();
    let isMore = false;
    for (const artifactType of types) {
      let looked = 0;
      for await (const referrer of source.referrers(digest, artifactType)) {
        // Who lies in an annotation hides only their own; whoever says that it is something else does not stand in the way.
        const said = referrer.annotations?.[predicateTypeAnnotation];
        if (said !== undefined && artifactType === bundleMediaType && !asked.includes(said)) {
          if (others.size < mostAttached) others.add(said);
          continue;
        }
        if (looked >= mostAttached) {
          isMore = true;
          break;
        }
        looked += 1;
        judged.push(await judge(source, subject, digest, referrer, judging));
      }
    }
    const wanted = judged.filter(({ type }) => asked.includes(type));
    print(terminal, options.json, { artifact: digest, checked: wanted }, () =>
      wanted.flatMap((one) => [...table([[marks[one.result], one.type, one.message]]), ...checksOf(one)]),
    );
    const has = (result: Judged["result"]) => wanted.some((one) => one.result === result);
    const outcome = has("good") ? "good" : has("bad") ? "bad" : "not made";
    say(terminal, `${repository}@${digest}: ${outcomes[outcome]}`);
    if (isMore) say(terminal, `more than ${mostAttached} hang on it, and the rest was not looked at`);
    if (wanted.length === 0) say(terminal, whatElse([...judged.map(({ type }) => type), ...others]));
    finish(exits[outcome]);
  });
};

const outcomes = {
  good: "verified",
  bad: "nothing that is attached holds",
  "not made": "nothing is attached that could be verified with this",
} as const;

/** Whoever asked for a type that is not there sees which are. */
function whatElse(attached: readonly string[]): string {
  const types = [...new Set(attached)].sort();
  return types.length === 0 ? "no signature and no attestation hangs on it" : `attached are: ${types.join(", ")}`;
}

function checksOf({ checks = [] }: Judged): readonly string[] {
  return table(checks.map(({ name, result, message }) => [`  ${marks[result]}`, name, message]));
}

async function judgeBy(terminal: Terminal, options: Options, client: PlaneClient, repository: string): Promise<Judge> {
  const believed = await trustOf(terminal, options);
  if (believed !== undefined && options.trust !== undefined) {
    throw usageError("whose signature is it to be?", "give either --trust FILE or who is to have signed, not both");
  }
  if (believed !== undefined) return { repository, believed };
  if ((await settings(terminal, options)).trust.value === undefined) {
    throw usageError(
      "whose signature is it to be?",
      "give --key PUBLIC_KEY, --certificate-chain FILE, --certificate-identity NAME or --trust FILE",
    );
  }
  const trust = await readTrustFile(terminal, options);
  const people = await readPeopleKeys(client, trust);
  const believedByFile = { trusted: { ...trust, identities: people.standing.identities } };
  return { repository, believed: believedByFile, world: { client, trust, people } };
}

/** What the flags say; undefined where they say nothing. */
async function trustOf(terminal: Terminal, options: Options): Promise<(ModelTrust & NotationTrust) | undefined> {
  const { key, certificateChain } = options;
  const read = (path: string) => readFile(resolve(terminal.cwd, path), "utf8");
  const publicKeyPem = key && (await read(key));
  const trustedCertificatesPem = certificateChain && (await read(certificateChain));
  const keyless = await readKeylessTrust(terminal, options);
  const notation = await readNotationTrust(terminal, options);
  const isEmpty = Object.keys(notation).length === 0;
  if (!publicKeyPem && !trustedCertificatesPem && keyless === undefined && isEmpty) return undefined;
  if (!isEmpty && !trustedCertificatesPem && !notation.signingAuthoritiesPem) {
    throw usageError(
      "below which root is it to be signed?",
      "give --certificate-chain FILE or --signing-authority FILE with what else is asked of a notation signature",
    );
  }
  if (publicKeyPem?.includes("PRIVATE KEY")) {
    throw usageError(`${key} is the private half of a key, and verifying needs the public one`, "give NAME.pub.pem");
  }
  return {
    ...(publicKeyPem && { publicKeyPem }),
    ...(trustedCertificatesPem && { trustedCertificatesPem }),
    ...(keyless && { keyless }),
    ...notation,
  };
}

async function judge(
  source: RegistryClient,
  subject: Descriptor,
  artifact: Digest,
  referrer: Descriptor,
  { repository, believed, world }: Judge,
): Promise<Judged> {
  const { digest: attached, artifactType, annotations } = referrer;
  const isNotation = artifactType === notationType;
  // Until a signature holds, the annotation is only what somebody wrote beside it.
  const type = isNotation ? notationType : (annotations?.[predicateTypeAnnotation] ?? "unknown");
  try {
    const { mediaType, bytes } = await attachedLayer(source, attached);
    if (isNotation) {
      const { path, checks } = await verifyNotation(mediaType, bytes, subject, believed);
      return { attached, result: "good", type, message: path[0]!.subject.replaceAll("\n", ", "), checks };
    }
    const made = await verifyAttachment(bytes, artifact, believed);
    const who = made.keyless ? `${made.keyless.identity}, says ${made.keyless.issuer}` : `key ${made.signer.keyId}`;
    const found = { attached, type: made.predicateType, predicate: made.predicate };
    if (world === undefined || made.by === undefined) return { ...found, result: "good", message: who };
    // Whoever signs an artifact signs it as a model of its repository; an attestation takes the right to say what it says.
    const action = made.predicateType === containerSignatureType ? "sign-model" : actionOf(made.predicateType);
    const { outcome, checks, by } = await checkSigners(world, made.by, made.envelope, { action, repository });
    return { ...found, result: outcome, message: by ?? who, checks };
  } catch (error) {
    if (error instanceof NotMade) return { attached, result: "not made", type, message: error.message };
    const isFound = error instanceof OciError || error instanceof EvidenceError;
    if (!isFound || error.code === "unreachable" || error.code === "trust-invalid") throw error;
    return { attached, result: "bad", type, message: error.message };
  }
}

/** The one layer in which a signature lies. */
async function attachedLayer(source: RegistryClient, digest: string) {
  const { manifest } = await source.resolve(digest);
  const [layer, ...others] = manifest.kind === "image" ? manifest.layers : [];
  if (layer === undefined || others.length > 0 || layer.size > largestAttached) {
    throw new OciError("signature-invalid", `${digest} holds no one signature`);
  }
  return { mediaType: layer.mediaType, bytes: Buffer.concat(await Array.fromAsync(source.blob(layer))) };
}
