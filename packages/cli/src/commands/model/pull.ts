import { lstat, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Digest, isDigest, whyNotAllowed } from "@tally/evidence";
import {
  type FileEntry,
  type ModelReport,
  type ModelTrust,
  type Progress,
  parseArtifactName,
  type RegistryClient,
  unpackModelKit,
  verifyModel,
  withoutIgnored,
} from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { modelSignatures } from "../../model-signatures.ts";
import { withJson, withPlane } from "../../options.ts";
import { type PeopleKeys, readPeopleKeys } from "../../people-keys.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { checkSigner, type SignerCheck, type SignerWorld } from "../../signer-checks.ts";
import {
  CliError,
  counted,
  exitCodes,
  marks,
  type ProgressMode,
  print,
  say,
  showingProgress,
  type Terminal,
  table,
  usageError,
  withProgressOption,
} from "../../terminal/index.ts";
import { readTrustFile } from "../../trust-file.ts";

interface Options extends PlaneFlags {
  readonly output: string;
  readonly key?: string;
  readonly progress: ProgressMode;
}

/** What is checked of an attached signature, and how it came out. */
type PullCheck = ModelReport["checks"][number] | SignerCheck;

/** The checks of the signature that is taken, else of the one that came furthest. */
interface Seen {
  checks: readonly PullCheck[];
  /** That there are more signatures than were looked at. */
  more?: boolean;
}

/** Who has signed, and which files that is not true of: they lie in paths that signatures ignore. */
interface Taken {
  readonly by: string;
  readonly unsigned: readonly string[];
}

/** Whom to believe, and whom to ask. */
interface Judge {
  readonly repository: string;
  /** Of one key: nobody knows whether it is revoked. */
  readonly key?: { readonly path: string; readonly pem: string };
  /** Of a trust file: anyone of it, by its keys, those that took their places, and its keyless identities. */
  readonly world?: SignerWorld & { readonly people: PeopleKeys };
}

/** `tally model pull REF -o DIR`: the files of a model, if somebody who may has signed them. */
export const pull: Register = (program, { terminal }) => {
  const command = program
    .command("pull")
    .description(
      "pull a model, verify every byte and its signature, and unpack it; if anything is wrong nothing is left",
    )
    .argument("<ref>", "repository:tag or repository@sha256:…")
    .requiredOption("-o, --output <dir>", "a folder that is not there yet")
    .option("--key <file>", "public key of who is to have signed it")
    .option("--trust <file>", "or the trust file: anyone in it who may sign models of this repository; TALLY_TRUST");
  withJson(withProgressOption(withPlane(command))).action(async (ref: string, options: Options) => {
    if (isDigest(ref)) throw usageError("a digest alone does not say where it lies", `write REPOSITORY@${ref}`);
    const { repository, reference } = parseArtifactName(ref);
    const client = await connect(terminal, options);
    const judge = await judgeBy(terminal, options, client, repository);
    const source = repositoryOf(client, repository);
    const into = resolve(terminal.cwd, options.output);
    const { digest: manifest } = await source.resolve(reference);
    const seen: Seen = { checks: [] };
    const pulling = showingProgress(terminal, options.progress, "pulling", (progress) =>
      unpackVerified(source, manifest, into, judge, seen, progress),
    );
    // Shown when the bar is gone, also where the pull failed by them.
    const { by, unsigned } = await pulling.finally(() => show(terminal, seen.checks));
    const { checks } = seen;
    print(terminal, options.json, { manifest, repository, folder: into, signedBy: by, checks }, () => [manifest]);
    if (unsigned.length > 0) {
      const named = unsigned.slice(0, 10).join(", ");
      say(terminal, `left out, since the signature does not cover ${counted(unsigned.length, "file")}: ${named}`);
    }
    say(terminal, `signed by ${by}, unpacked to ${into}`);
  });
};

/** Each check as good, bad or not made, and why: for people, beside the data. */
function show(terminal: Terminal, checks: readonly PullCheck[]): void {
  const rows = checks.map(({ name, result, message }) => [marks[result], name, message]);
  for (const line of table(rows)) say(terminal, line);
}

async function judgeBy(terminal: Terminal, options: Options, client: PlaneClient, repository: string): Promise<Judge> {
  if (options.key !== undefined) {
    const pem = await readFile(resolve(terminal.cwd, options.key), "utf8");
    return { repository, key: { path: options.key, pem } };
  }
  const trust = await readTrustFile(terminal, options);
  // When each signed is asked once there is a signature: a key whose time is over may have signed before.
  if (![...trust.identities, ...trust.keyless].some((identity) => maySign(identity, repository))) {
    throw new CliError(exitCodes.denied, `nobody in the trust file may sign models of ${repository}`, {
      hint: "give --key PUBLIC_KEY, or another trust file",
    });
  }
  return { repository, world: { client, trust, people: await readPeopleKeys(client, trust) } };
}

function maySign(identity: Parameters<typeof whyNotAllowed>[0], repository: string): boolean {
  return whyNotAllowed(identity, { action: "sign-model", repository }) === undefined;
}

/** The folder gets its name only when the signature holds. What a broken connection left is gone on with the next time. */
async function unpackVerified(
  source: RegistryClient,
  manifest: Digest,
  into: string,
  judge: Judge,
  seen: Seen,
  progress: Progress | undefined,
): Promise<Taken> {
  if (await lstat(into).catch(() => undefined))
    throw usageError(`${into} is there already`, "name a folder that is not");
  let taken: Taken | undefined;
  await unpackModelKit({
    source,
    reference: manifest,
    into,
    accept: async (files) => {
      taken = await verifiedBy(source, manifest, files, judge, seen);
      return taken.unsigned;
    },
    ...(progress && { progress }),
  });
  return taken!;
}

async function verifiedBy(
  source: RegistryClient,
  manifest: Digest,
  files: readonly FileEntry[],
  judge: Judge,
  seen: Seen,
): Promise<Taken> {
  const held = (list: readonly PullCheck[]) => list.filter(({ result }) => result === "good").length;
  for await (const bundle of modelSignatures(source, manifest, () => (seen.more = true))) {
    const report = await verifyModel({ bundle, files, filesOfGoodOnly: true, ...believed(judge) });
    const { checks: own, by } = await standing(report, judge);
    const checks = [...report.checks, ...own];
    const accepted = report.outcome === "good" && !checks.some((check) => stands(check, judge));
    if (accepted || seen.checks.length === 0 || held(checks) > held(seen.checks)) seen.checks = checks;
    if (accepted) return { by, unsigned: unsignedOf(report, files) };
  }
  const beyond = seen.more ? "; not all that hangs there was looked at, there is too much of it" : "";
  const why = `${whyNot(seen.checks, judge)}${beyond}`;
  throw new CliError(exitCodes.verificationFailed, `${manifest} is not unpacked: ${why}`, {
    hint: `accepted are signatures by ${acceptedNames(judge).join(", ")}`,
  });
}

/** Signatures leave out some paths, such as `.git`. Whoever pushed the artifact could have put anything there. */
function unsignedOf({ signature }: ModelReport, files: readonly FileEntry[]): readonly string[] {
  const { counted: covered } = withoutIgnored(files, signature!.ignorePaths);
  const names = new Set(covered.map(({ name }) => name));
  return files.map(({ name }) => name).filter((name) => !names.has(name));
}

/** What the files' signature is verified with. */
function believed({ key, world }: Judge): ModelTrust {
  if (key !== undefined) return { publicKeyPem: key.pem };
  const { trust, people } = world!;
  return { trusted: { ...trust, identities: people.standing.identities } };
}

function acceptedNames({ key, world, repository }: Judge): readonly string[] {
  if (key !== undefined) return [key.path];
  const { trust, people } = world!;
  const able = [...people.standing.identities, ...trust.keyless].filter((one) => maySign(one, repository));
  return [...new Set(able.map(({ name }) => name))];
}

/**
 * Whether a check stands in the way. The log may lack the signature, which matters only where a time does; whether a key that was
 * given by hand is revoked nobody can say.
 */
function stands({ name, result }: PullCheck, { key }: Judge): boolean {
  if (result !== "not made") return result === "bad";
  return name !== "log" && (name !== "revocation" || key === undefined);
}

/** Whether the key counted when it signed, and whose it is. */
async function standing(
  { outcome, envelope }: ModelReport,
  { world, key, repository }: Judge,
): Promise<{ readonly checks: readonly PullCheck[]; readonly by: string }> {
  const by = key?.path ?? "";
  if (outcome !== "good" || envelope === undefined) return { checks: [], by };
  if (world === undefined) {
    const message = "a key was given and no trust file, so nothing says whether it is revoked";
    return { checks: [{ name: "revocation", result: "not made", message }], by };
  }
  const report = await checkSigner(world, envelope, { action: "sign-model", repository });
  return { checks: report.checks, by: report.by ?? by };
}

function whyNot(checks: readonly PullCheck[], judge: Judge): string {
  if (checks.length === 0) return "no signature is attached to it";
  const failed = checks.find(({ result }) => result === "bad") ?? checks.find((check) => stands(check, judge));
  return failed === undefined ? "no check was made" : `${failed.name}: ${failed.message}`;
}
