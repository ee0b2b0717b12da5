import {
  formatVkey,
  generatePrivateKeyPem,
  type NoteSigner,
  noteSignerFromPem,
  parseTrust,
  publicKeyOfPem,
  type Trust,
  type TrustedAction,
} from "@tally/evidence";

/** Someone whose statements a test plane's trust file admits. */
export interface TestIdentity {
  readonly name: string;
  readonly pem: string;
  readonly may: readonly TrustedAction[];
}

/** A plane's signing keys, and the trust file that an operator would hand out for it. */
export interface PlaneKeys {
  readonly name: string;
  readonly log: readonly NoteSigner[];
  readonly fleet: readonly NoteSigner[];
  readonly publisher: TestIdentity;
  readonly approver: TestIdentity;
  readonly trustText: string;
  readonly trust: Trust;
}

export function makePlaneKeys(name = "tally.local/test"): PlaneKeys {
  const signers = (origin: string): NoteSigner[] => [
    noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519")),
    noteSignerFromPem(origin, 6, generatePrivateKeyPem("ml-dsa-44")),
  ];
  const log = signers(`${name}/log`);
  const fleet = signers(`${name}/fleet`);
  const publisher: TestIdentity = {
    name: "publisher",
    pem: generatePrivateKeyPem("p-256"),
    may: ["ingest", "train", "sign-model", "evaluate", "release", "select"],
  };
  const approver: TestIdentity = { name: "approver", pem: generatePrivateKeyPem("p-256"), may: ["approve"] };
  const trustText = JSON.stringify({
    format: "tally-trust/v1",
    plane: { name, log: log.map(({ key }) => formatVkey(key)), fleet: fleet.map(({ key }) => formatVkey(key)) },
    policy: "quorum none\n",
    requiredAlgorithms: ["ed25519", "ml-dsa-44"],
    identities: [publisher, approver].map(({ name: who, pem, may }) => ({
      name: who,
      key: spkiPem(publicKeyOfPem(pem).spki),
      may,
      repositories: ["*"],
    })),
    skewSeconds: 300,
  });
  return { name, log, fleet, publisher, approver, trustText, trust: parseTrust(trustText) };
}

function spkiPem(spki: Uint8Array): string {
  const lines = spki.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
}
