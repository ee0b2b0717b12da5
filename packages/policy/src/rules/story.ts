// The people, keys and statements that the tests of the rules share. Keys are made anew; everything is really signed.

import {
  approvalStatement,
  type Digest,
  digestOf,
  type Envelope,
  formatVkey,
  generatePrivateKeyPem,
  modelSignatureStatement,
  modelStatement,
  noteKey,
  parseTrust,
  publicKeyPem,
  releaseStatement,
  type Statement,
  signStatement,
  statementSignerFromPem,
  type Trust,
  type TrustedAction,
  trainingBuildType,
  trainingStatement,
  utf8,
} from "@tally/evidence";
import { gatherFacts } from "../facts.ts";
import type { PolicyRequest } from "../request.ts";
import { signedStatement } from "../request.ts";
import type { Rule } from "../rule.ts";

export const manifest = digestOf(utf8("a manifest"));
export const repository = "models/breast-cancer";
export const channel = `${repository}:stable`;

export const files = [
  { name: "model.onnx", digest: digestOf(utf8("weights")), size: 7 },
  { name: "notes/README.md", digest: digestOf(utf8("words")), size: 5 },
];

const people = ["publisher", "trainer", "reviewer", "second-reviewer", "releaser", "stranger"] as const;
export type Person = (typeof people)[number];

const signers = new Map(people.map((name) => [name, statementSignerFromPem(generatePrivateKeyPem("p-256"))]));

const usual: Readonly<Record<Person, readonly TrustedAction[]>> = {
  publisher: ["sign-model"],
  trainer: ["train"],
  reviewer: ["approve", "quarantine"],
  "second-reviewer": ["approve"],
  releaser: ["release", "quarantine"],
  stranger: [],
};

/** A trust file with these people; the stranger is never in it. */
export function trustWith(changes: Partial<Record<Person, readonly TrustedAction[]>> = {}, more: object = {}): Trust {
  const may = { ...usual, ...changes };
  const key = (name: string) => formatVkey(noteKey(name, 1, new Uint8Array(32).fill(9)));
  return parseTrust(
    JSON.stringify({
      format: "tally-trust/v1",
      plane: { name: "tally.test", log: [key("tally.test/log")], fleet: [key("tally.test/fleet")] },
      policy: "quorum none\n",
      requiredAlgorithms: ["ed25519"],
      identities: people
        .filter((name) => name !== "stranger")
        .map((name) => ({
          name,
          key: publicKeyPem(signers.get(name)!.identity.spki),
          may: may[name],
          repositories: ["models/*"],
          ...more,
        })),
      skewSeconds: 300,
    }),
  );
}

export function by(person: Person, statement: Statement): Promise<Envelope> {
  return signStatement(statement, signers.get(person)!);
}

export const signatureOf = (resources: readonly { name: string; digest: Digest }[] = files) =>
  modelSignatureStatement({
    name: "breast-cancer",
    resources: resources.map(({ name, digest }) => ({ path: name, digest })),
    method: "files",
    allowSymlinks: false,
    ignorePaths: [],
  });

export const modelOf = (signature: Envelope, changes: Partial<Parameters<typeof modelStatement>[0]> = {}) =>
  modelStatement({ manifest, repository, files, signature: signature.digest, ...changes });

export const approval = (decision: "approved" | "rejected" = "approved") =>
  approvalStatement({ manifest, decision, evaluated: [] });

export const release = (to = channel, sequence = 1) =>
  releaseStatement({ manifest, purl: `pkg:oci/x@${manifest}`, releaseId: "1", channel: to, sequence });

export const training = () =>
  trainingStatement([{ name: "model.onnx", digest: files[0]!.digest }], {
    buildType: trainingBuildType,
    parameters: {},
    dependencies: [],
    builder: "urn:example:builder",
  });

export interface Story {
  readonly signature?: Envelope;
  readonly model?: Envelope;
  readonly training?: Envelope;
  readonly approvals?: readonly Envelope[];
  readonly releases?: readonly Envelope[];
  readonly trust?: Trust;
  readonly request?: Partial<PolicyRequest>;
  readonly atMs?: number;
  /** Asks for no channel in particular. */
  readonly anyChannel?: true;
}

/** A request in which all is well, but for what the test changes. */
export async function requestOf(story: Story = {}): Promise<PolicyRequest> {
  const trust = story.trust ?? trustWith();
  const signature = story.signature ?? (await by("publisher", signatureOf()));
  const envelopes = [
    story.training ?? (await by("trainer", training())),
    signature,
    story.model ?? (await by("publisher", modelOf(signature))),
    ...(story.approvals ?? [await by("reviewer", approval())]),
    ...(story.releases ?? [await by("releaser", release())]),
  ];
  return {
    gate: "load",
    manifest,
    repository,
    ...(story.anyChannel ? {} : { channel }),
    statements: envelopes.map((envelope) => signedStatement(envelope, trust, story.atMs)),
    trust,
    files: files.map(({ digest, size }) => ({ digest, size })),
    ...story.request,
  };
}

/** What one rule says of a story. */
export async function reasonOf(rule: Rule, story: Story = {}): Promise<{ pass: boolean; message: string }> {
  const { pass, message } = rule.check(gatherFacts(await requestOf(story)));
  return { pass, message };
}
