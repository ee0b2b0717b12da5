// Keyless signatures whose time a timestamp authority says: beside a log, or for a log of tiles (Rekor's version 2), which says none.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodeJson, type JsonObject } from "@tally/evidence";
import { memoryFile } from "../../tar/index.ts";
import {
  identityToken,
  type MockSigstore,
  type MockWish,
  mockIssuer,
  mockSigstore,
} from "../../testing/mock-sigstore.ts";
import { keylessSigner, signModel, verifyModel } from "../index.ts";

const files = [memoryFile("model.onnx", new TextEncoder().encode("weights"))];
const identity = "https://example.org/team/publisher";
const minutes = (count: number) => new Date(Math.floor(Date.now() / 1000) * 1000 + count * 60_000);

async function signedAt(sigstore: MockSigstore, rekorVersion: 1 | 2 = 2, stamped = true): Promise<Uint8Array> {
  const { url } = sigstore;
  const options = { identityToken: identityToken(identity), fulcioUrl: url, rekorUrl: url, rekorVersion };
  const signer = keylessSigner({ ...options, ...(stamped && { timestampUrl: url }) });
  return (await signModel({ files, name: "model", signer })).bundle;
}

async function signed(t: TestContext, wish: MockWish = {}) {
  const sigstore = await mockSigstore(t, wish);
  return { sigstore, bundle: await signedAt(sigstore) };
}

async function outcomeOf(bundle: Uint8Array, root: MockSigstore["trustedRoot"]): Promise<string> {
  const { outcome, checks } = await verifyModel({ bundle, files, keyless: { root, identity, issuer: mockIssuer } });
  return outcome === "good" ? "good" : `${outcome}: ${checks.find(({ result }) => result !== "good")?.message}`;
}

interface Bundle {
  verificationMaterial: {
    timestampVerificationData?: { rfc3161Timestamps: JsonObject[] };
    tlogEntries: { integratedTime?: string; inclusionProof?: { checkpoint: { envelope: string } } }[];
  };
}

function changed(bundle: Uint8Array, change: (material: Bundle["verificationMaterial"]) => void): Uint8Array {
  const json = JSON.parse(Buffer.from(bundle).toString()) as Bundle;
  change(json.verificationMaterial);
  return encodeJson(json as unknown as JsonObject);
}

test("a signature in a log of tiles is verified offline, by the log's checkpoint and the authority's timestamp", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const { tlogEntries } = (JSON.parse(Buffer.from(bundle).toString()) as Bundle).verificationMaterial;
  assert.equal(tlogEntries[0]!.integratedTime ?? "0", "0");
  assert.equal(await outcomeOf(bundle, sigstore.trustedRoot), "good");
});

test("a log of tiles is not asked where no timestamp authority is", async (t) => {
  const sigstore = await mockSigstore(t);
  await assert.rejects(signedAt(sigstore, 2, false), /says no time, and no timestamp authority/);
});

test("a signature in a log of tiles that somebody stripped of its timestamp is refused", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const bare = changed(bundle, (material) => {
    delete material.timestampVerificationData;
  });
  assert.match(await outcomeOf(bare, sigstore.trustedRoot), /^bad: .*expected 1 timestamps, got 0/);
});

test("a time that an attacker writes into the entry of a log of tiles is no time", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const timed = changed(bundle, (material) => {
    delete material.timestampVerificationData;
    material.tlogEntries[0]!.integratedTime = String(Math.floor(Date.now() / 1000));
  });
  assert.match(await outcomeOf(timed, sigstore.trustedRoot), /^bad: .*expected 1 timestamps, got 0/);
});

test("a timestamp of an authority that the trusted root does not name proves nothing", async (t) => {
  const { sigstore, bundle } = await signed(t, { withoutStamps: true });
  assert.match(await outcomeOf(bundle, sigstore.trustedRoot), /^bad: .*timestamp could not be verified/);
});

test("a timestamp that an attacker moves from another signature is refused", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const other = JSON.parse(Buffer.from(await signedAt(sigstore)).toString()) as Bundle;
  const moved = changed(bundle, (material) => {
    material.timestampVerificationData = other.verificationMaterial.timestampVerificationData!;
  });
  assert.match(await outcomeOf(moved, sigstore.trustedRoot), /^bad: .*timestamp could not be verified/);
});

test("one timestamp that is bad makes a signature bad, whatever stands beside it", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const other = JSON.parse(Buffer.from(await signedAt(sigstore)).toString()) as Bundle;
  const both = changed(bundle, ({ timestampVerificationData }) => {
    timestampVerificationData!.rfc3161Timestamps.push(
      other.verificationMaterial.timestampVerificationData!.rfc3161Timestamps[0]!,
    );
  });
  assert.match(await outcomeOf(both, sigstore.trustedRoot), /^bad: /);
});

test("clocks that are off are told from each other: the stamp has to lie in the certificate's ten minutes", async (t) => {
  for (const [authority, stamp, expected] of [
    [20, 29, /^good/],
    [20, 31, /^bad: .*certificate/],
    [20, 19, /^bad: .*certificate/],
  ] as const) {
    const wish = { authorityClock: minutes(authority), stampClock: minutes(stamp) };
    const { sigstore, bundle } = await signed(t, wish);
    assert.match(await outcomeOf(bundle, sigstore.trustedRoot), expected, `${authority} and ${stamp}`);
  }
});

test("a checkpoint of a log of tiles that was written anew, or of a log that is not trusted, is refused", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const rewritten = changed(bundle, ({ tlogEntries }) => {
    const { checkpoint } = tlogEntries[0]!.inclusionProof!;
    checkpoint.envelope = checkpoint.envelope.replace("\n1\n", "\n2\n");
  });
  assert.match(await outcomeOf(rewritten, sigstore.trustedRoot), /^bad: /);
  const other = await mockSigstore(t);
  const elsewhere = { ...sigstore.trustedRoot, tlogs: other.trustedRoot.tlogs };
  assert.match(await outcomeOf(bundle, elsewhere), /^bad: /);
});

test("a root may trust several logs and authorities: a signature counts by the one that has it", async (t) => {
  const [one, two] = [await mockSigstore(t), await mockSigstore(t)];
  const lists = ["tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"] as const;
  const both = { ...one.trustedRoot };
  for (const list of lists) both[list] = [...two.trustedRoot[list], ...one.trustedRoot[list]] as never;
  for (const version of [1, 2] as const) {
    for (const sigstore of [one, two]) assert.equal(await outcomeOf(await signedAt(sigstore, version), both), "good");
  }
});

test("a log that was retired before the signature gives no time any more", async (t) => {
  const sigstore = await mockSigstore(t);
  const bundle = await signedAt(sigstore, 1, false);
  assert.equal(await outcomeOf(bundle, sigstore.trustedRoot), "good");
  const retired = sigstore.trustedRoot.tlogs.map((log) => ({
    ...log,
    publicKey: { ...log.publicKey!, validFor: { start: new Date("2020-01-01"), end: new Date("2025-01-01") } },
  }));
  assert.match(await outcomeOf(bundle, { ...sigstore.trustedRoot, tlogs: retired as never }), /^bad: /);
});

test("a log and a timestamp authority together both have to hold", async (t) => {
  const sigstore = await mockSigstore(t);
  const bundle = await signedAt(sigstore, 1);
  assert.equal(await outcomeOf(bundle, sigstore.trustedRoot), "good");
  const other = await mockSigstore(t);
  const mixed = { ...sigstore.trustedRoot, timestampAuthorities: other.trustedRoot.timestampAuthorities };
  assert.match(await outcomeOf(bundle, mixed), /^bad: .*timestamp could not be verified/);
});
