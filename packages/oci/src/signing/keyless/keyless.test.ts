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

async function signed(t: TestContext, wish: MockWish = {}, token = identityToken(identity)) {
  const sigstore = await mockSigstore(t, wish);
  const options = { identityToken: token, fulcioUrl: sigstore.url, rekorUrl: sigstore.url };
  const { bundle } = await signModel({ files, name: "model", signer: keylessSigner(options) });
  return { sigstore, bundle };
}

function verify(
  bundle: Uint8Array,
  { trustedRoot: root }: Pick<MockSigstore, "trustedRoot">,
  who: { identity?: string; issuer?: string } = {},
) {
  return verifyModel({ bundle, files, keyless: { root, identity, issuer: mockIssuer, ...who } });
}

/** Why the signature does not hold. */
async function refused(...args: Parameters<typeof verify>): Promise<string> {
  const { outcome, checks } = await verify(...args);
  assert.equal(outcome, "bad");
  const failed = checks.find(({ result }) => result === "bad");
  return `${failed?.name}: ${failed?.message}`;
}

/** The bundle with a part of it replaced. */
function changed(bundle: Uint8Array, change: (json: Bundle) => void): Uint8Array {
  const json = JSON.parse(Buffer.from(bundle).toString()) as Bundle;
  change(json);
  return encodeJson(json as unknown as JsonObject);
}

interface Bundle {
  verificationMaterial: { certificate: JsonObject; tlogEntries: LogEntry[] };
  dsseEnvelope: { payload: string; signatures: { sig: string }[] };
}

interface LogEntry {
  integratedTime: string;
  inclusionPromise?: { signedEntryTimestamp: string };
  inclusionProof?: { checkpoint: { envelope: string } };
  canonicalizedBody: string;
}

test("a model is signed keyless at one authority and log, and verifies offline by who is to have signed it", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const report = await verify(bundle, sigstore);
  assert.equal(report.outcome, "good", JSON.stringify(report.checks));
  assert.deepEqual(report.keyless, { identity, issuer: mockIssuer });
  assert.equal(report.checks[1]?.message, `${identity}, says ${mockIssuer}`);
  const json = JSON.parse(Buffer.from(bundle).toString()) as Bundle;
  assert.deepEqual(Object.keys(json.verificationMaterial).sort(), ["certificate", "tlogEntries"]);
});

test("without a trusted root a keyless signature is neither good nor bad", async (t) => {
  const { bundle } = await signed(t);
  assert.equal((await verifyModel({ bundle, files })).outcome, "not made");
});

test("somebody else with a certificate of the same authority is not the signer", async (t) => {
  const { sigstore, bundle } = await signed(t, {}, identityToken("https://example.org/team/attacker"));
  assert.match(await refused(bundle, sigstore), /signature: it is signed by .*attacker, not by .*publisher/);
});

test("an identity is compared whole: a longer one that contains it, or one that its dots would match, is another", async (t) => {
  for (const other of [`${identity}-attacker`, `https://attacker.example/${identity}`, identity.replace(".", "x")]) {
    const { sigstore, bundle } = await signed(t, {}, identityToken(other));
    assert.match(await refused(bundle, sigstore), /not by/);
  }
});

test("the same name of another issuer is another signer", async (t) => {
  const { sigstore, bundle } = await signed(t, {}, identityToken(identity, "https://attacker.example"));
  assert.match(await refused(bundle, sigstore), /expected issuer=https:\/\/issuer\.example\.org/);
});

test("a whole sigstore of the attacker's is believed nothing", async (t) => {
  const { bundle } = await signed(t);
  const other = await mockSigstore(t);
  assert.match(await refused(bundle, other), /signature: it does not verify/);
  const json = JSON.parse(other.trustedRootJson);
  const mixed = { ...(await mockSigstore(t)).trustedRoot, certificateAuthorities: json.certificateAuthorities };
  assert.match(await refused(bundle, { trustedRoot: mixed }), /signature: it does not verify/);
});

test("the log's time decides: within the certificate's ten minutes it holds whatever the clock says now, after them it does not", async (t) => {
  const minutes = (count: number) => new Date(Date.now() + count * 60_000);
  const inTime = await signed(t, { authorityClock: minutes(60), logClock: minutes(69) });
  assert.equal((await verify(inTime.bundle, inTime.sigstore)).outcome, "good");
  const late = await signed(t, { authorityClock: minutes(60), logClock: minutes(71) });
  assert.match(await refused(late.bundle, late.sigstore), /certificate/);
  const early = await signed(t, { authorityClock: minutes(60), logClock: minutes(59) });
  assert.match(await refused(early.bundle, early.sigstore), /certificate/);
});

test("a certificate that no certificate log has seen is not believed", async (t) => {
  const { sigstore, bundle } = await signed(t, { withoutSct: true });
  assert.match(await refused(bundle, sigstore), /expected 1 SCTs, got 0/);
});

test("a signature without its log entry is no keyless signature", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const bare = changed(bundle, ({ verificationMaterial }) => {
    verificationMaterial.tlogEntries = [];
  });
  assert.match(await refused(bare, sigstore), /bundle: .*tlogEntries must have an entry/);
});

const forgeries: Readonly<Record<string, (entry: LogEntry) => void>> = {
  "whose time was moved": (entry) => {
    entry.integratedTime = String(Number(entry.integratedTime) - 60);
  },
  "whose promise nobody signed": (entry) => {
    entry.inclusionPromise!.signedEntryTimestamp = "MAYCAQECAQE=";
  },
  "without promise and proof": (entry) => {
    delete entry.inclusionPromise;
    delete entry.inclusionProof;
  },
  "whose checkpoint was written anew": ({ inclusionProof }) => {
    inclusionProof!.checkpoint.envelope = inclusionProof!.checkpoint.envelope.replace("\n1\n", "\n2\n");
  },
  "whose body was changed": (entry) => {
    const body = Buffer.from(entry.canonicalizedBody, "base64").toString();
    entry.canonicalizedBody = Buffer.from(body.replace("0.0.1", "0.0.2")).toString("base64");
  },
};
for (const [what, change] of Object.entries(forgeries)) {
  test(`a forged log entry, ${what}, is refused`, async (t) => {
    const { sigstore, bundle } = await signed(t);
    const forged = changed(bundle, ({ verificationMaterial }) => change(verificationMaterial.tlogEntries[0]!));
    await refused(forged, sigstore);
  });
}

test("a log entry of another signature by the same signer does not stand for this one", async (t) => {
  const sigstore = await mockSigstore(t);
  const options = () => ({ identityToken: identityToken(identity), fulcioUrl: sigstore.url, rekorUrl: sigstore.url });
  const [one, two] = await Promise.all(
    [1, 2].map(() => signModel({ files, name: "model", signer: keylessSigner(options()) })),
  );
  const other = JSON.parse(Buffer.from(two!.bundle).toString()) as Bundle;
  const swapped = changed(one!.bundle, (json) => {
    json.verificationMaterial.tlogEntries = other.verificationMaterial.tlogEntries;
  });
  assert.match(await refused(swapped, sigstore), /signature: it does not verify/);
});

test("a log that entered another payload's hash gives no proof of this one", async (t) => {
  const { sigstore, bundle } = await signed(t, {
    entering: (entry) => ({
      ...entry,
      spec: { ...(entry.spec as JsonObject), payloadHash: { algorithm: "sha256", value: "0".repeat(64) } },
    }),
  });
  assert.match(await refused(bundle, sigstore), /signature: it does not verify/);
});

test("an attacker who swaps the bundle's content keeps neither the signature nor its entry", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const swapped = changed(bundle, ({ dsseEnvelope }) => {
    const statement = JSON.parse(Buffer.from(dsseEnvelope.payload, "base64").toString());
    statement.subject[0].name = "another model";
    dsseEnvelope.payload = Buffer.from(JSON.stringify(statement)).toString("base64");
  });
  assert.match(await refused(swapped, sigstore), /signature: it does not verify/);
});

test("a second signature in the envelope, by whomever, is refused", async (t) => {
  const { sigstore, bundle } = await signed(t);
  const doubled = changed(bundle, ({ dsseEnvelope }) => dsseEnvelope.signatures.push(dsseEnvelope.signatures[0]!));
  assert.match(await refused(doubled, sigstore), /one signature/);
});

test("a token that cannot be read is refused without being shown", async (t) => {
  const sigstore = await mockSigstore(t);
  const options = { identityToken: "secret", fulcioUrl: sigstore.url, rekorUrl: sigstore.url };
  await assert.rejects(signModel({ files, name: "model", signer: keylessSigner(options) }), (error: Error) => {
    assert.match(error.message, /gave no certificate/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});
