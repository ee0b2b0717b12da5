import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type Envelope,
  envelopeMediaType,
  generatePrivateKeyPem,
  ingestionStatement,
  keyRotationStatement,
  parseDigest,
  publicKeyPem,
  type Signer,
  type StatementProof,
  signStatement,
  statementSignerFromPem,
  type Trust,
  type TrustedIdentity,
  toBase64,
  utf8,
} from "@tally/evidence";
import { FleetManager } from "../../plane/src/testing/fleet-manager.ts";
import { TestPlane } from "../../plane/src/testing/test-plane.ts";
import { PlaneClient } from "./plane-client.ts";
import { checkSigner, type SignerReport } from "./signer-checks.ts";

const hour = 3_600_000;
const signedFor = { action: "ingest", repository: null } as const;

/** A plane, a publisher whom it knows, and a statement of theirs. */
class World {
  readonly plane: TestPlane;
  readonly signer: Signer = statementSignerFromPem(generatePrivateKeyPem("p-256"));
  readonly client: PlaneClient;
  envelope!: Envelope;

  private constructor(plane: TestPlane) {
    this.plane = plane;
    this.client = new PlaneClient({ name: "url", value: plane.url, from: "--url" }, plane.adminToken);
  }

  static async create(t: TestContext, log = true): Promise<World> {
    const world = new World(await TestPlane.start(t));
    const key = publicKeyPem(world.signer.identity.spki);
    const body = { name: "publisher", key, may: ["ingest"], repositories: ["hearts/*"] };
    await world.plane.call("POST", "/api/v1/identities", { body });
    const files = [{ name: "rows.csv", digest: parseDigest(`sha256:${"1".repeat(64)}`), size: 1 }];
    const ingestion = ingestionStatement({ source: "https://data.example", license: "MIT", files });
    world.envelope = await signStatement(ingestion, world.signer);
    const posted = { body: world.envelope.bytes, type: envelopeMediaType };
    await world.plane.seal();
    if (log) assert.equal((await world.plane.call("POST", "/api/v1/statements", posted)).status, 201);
    await world.plane.seal();
    return world;
  }

  /** What comes of it for a verifier whose trust file says this of the publisher. */
  async check(changes: Partial<TrustedIdentity> = {}, client: PlaneClient = this.client): Promise<SignerReport> {
    const own = await this.plane.trust();
    const identities = own.identities.map((one) => (one.name === "publisher" ? { ...one, ...changes } : one));
    const trust: Trust = { ...own, identities };
    return checkSigner({ client, trust }, this.envelope, signedFor);
  }

  async post({ bytes }: Envelope): Promise<void> {
    const answer = await this.plane.call("POST", "/api/v1/statements", { body: bytes, type: envelopeMediaType });
    assert.equal(answer.status, 201, answer.text);
    await this.plane.seal();
  }

  async revoke(compromiseTime: number | null): Promise<void> {
    const manager = await FleetManager.of(this.plane);
    const { keyId } = this.signer;
    const subject = parseDigest(`sha256:${keyId}`);
    const decision = { decision: "revoke", subject, origin: null, keyId, compromiseTime, reason: "stolen" } as const;
    assert.equal((await manager.decide(decision)).status, 201);
    await this.plane.seal();
  }
}

const of = ({ checks }: SignerReport, name: string) => checks.find((check) => check.name === name);

test("a statement of somebody who may, logged in time, is good in each check", async (t) => {
  const world = await World.create(t);
  const report = await world.check();
  assert.equal(report.outcome, "good", JSON.stringify(report.checks));
  assert.equal(report.by, "publisher");
  assert.deepEqual(
    report.checks.map(({ name, result }) => `${name} ${result}`),
    ["signer good", "rights good", "log good", "period good", "revocation good"],
  );
  assert.equal((await world.check({ from: 1, until: Date.now() + hour })).outcome, "good");
});

test("attack: a signature outside of what the key may sign", async (t) => {
  const world = await World.create(t);
  const report = await world.check({ may: ["approve"] });
  assert.equal(report.outcome, "bad");
  assert.equal(of(report, "rights")?.message, "publisher may not ingest");
  const trust = await world.plane.trust();
  const elsewhere = await checkSigner({ client: world.client, trust }, world.envelope, {
    ...signedFor,
    repository: "toys",
  });
  assert.equal(of(elsewhere, "rights")?.message, "publisher may ingest for hearts/*, not for toys");
});

test("attack: a key before its from and after its until", async (t) => {
  const world = await World.create(t);
  for (const period of [{ from: Date.now() + hour }, { until: Date.now() - hour }]) {
    const report = await world.check(period);
    assert.equal(report.outcome, "not made");
    assert.match(of(report, "period")!.message, /the key counts (from|until)/);
  }
});

test("attack: a signature after the compromise; what is proven older stands", async (t) => {
  const world = await World.create(t);
  await world.check();
  await world.revoke(Date.now() + hour);
  const older = await world.check();
  assert.equal(older.outcome, "good");
  assert.match(of(older, "revocation")!.message, /revoked as of .*, and this is proven to be older/);
  await world.revoke(Date.now() - hour);
  const younger = await world.check();
  assert.equal(younger.outcome, "bad");
  assert.match(of(younger, "revocation")!.message, /nothing proves this to be older/);
  await world.revoke(null);
  assert.match(of(await world.check(), "revocation")!.message, /for all that it ever signed/);
});

test("attack: a backdated signature that was never logged", async (t) => {
  const world = await World.create(t, false);
  const unlimited = await world.check();
  assert.deepEqual([unlimited.outcome, of(unlimited, "log")?.result], ["good", "not made"]);
  assert.equal((await world.check({ from: 1 })).outcome, "not made");
  await world.revoke(Date.now() - hour);
  assert.equal((await world.check()).outcome, "bad");
});

test("attack: a plane that proves another statement, another place, or an older time than its witnesses saw", async (t) => {
  const world = await World.create(t);
  const lies: ((proof: StatementProof) => Partial<StatementProof>)[] = [
    ({ index }) => ({ index: index + 1 }),
    () => ({ entry: toBase64(utf8("something else")) }),
    ({ checkpoint }) => ({ checkpoint: checkpoint.replace(/\n\n.*/s, "\n\n") }),
    ({ checkpoint }) => ({ before: { checkpoint, proof: [] } }),
  ];
  for (const lie of lies) {
    const client = new PlaneClient({ name: "url", value: world.plane.url, from: "--url" }, world.plane.adminToken);
    const get = client.get.bind(client);
    client.get = async <T>(path: string): Promise<T> => {
      const answer = await get<StatementProof>(path);
      return { ...answer, ...lie(answer) } as T;
    };
    const report = await world.check({}, client);
    assert.equal(of(report, "log")?.result, "bad", lie.toString());
    assert.equal(report.outcome, "bad");
  }
});

test("attack: a fleet log that was cut, so that a revocation is not in it", async (t) => {
  const world = await World.create(t);
  await world.revoke(Date.now() - hour);
  const client = new PlaneClient({ name: "url", value: world.plane.url, from: "--url" }, world.plane.adminToken);
  const bytes = client.bytes.bind(client);
  client.bytes = async (path: string) => {
    const answer = await bytes(path);
    if (!path.startsWith("/fleet/tile/entries")) return answer;
    const first = 2 + new DataView(answer.buffer, answer.byteOffset).getUint16(0);
    return answer.slice(0, first);
  };
  const report = await world.check({}, client);
  assert.equal(of(report, "revocation")?.result, "not made");
  assert.equal(report.outcome, "not made");
});

/** The publisher goes on with another key, and says something with it. @returns the trust file of before, and what was said */
async function rotated(world: World): Promise<{ trust: Trust; next: Signer; said: Envelope }> {
  const trust = await world.plane.trust();
  const next = statementSignerFromPem(generatePrivateKeyPem("p-256"));
  const retiresAt = Date.now() + hour;
  const { keyId: oldKeyId } = world.signer;
  const rotation = keyRotationStatement({ oldKeyId, newKey: next.identity, retiresAt, reason: "a year has passed" });
  const early = await ingested(next, "2");
  await world.post(await signStatement(rotation, world.signer, next));
  const said = await ingested(next, "3");
  await world.post(said);
  assert.equal((await checkSigner({ client: world.client, trust }, early, signedFor)).outcome, "not made");
  return { trust, next, said };
}

function ingested(signer: Signer, digit: string): Promise<Envelope> {
  const files = [{ name: "rows.csv", digest: parseDigest(`sha256:${digit.repeat(64)}`), size: 1 }];
  return signStatement(ingestionStatement({ source: "https://data.example", license: "MIT", files }), signer);
}

test("a key that took another's place is followed by the plane's logs, with a trust file of before", async (t) => {
  const world = await World.create(t);
  const { trust, said } = await rotated(world);
  const report = await checkSigner({ client: world.client, trust }, said, signedFor);
  assert.equal(report.outcome, "good", JSON.stringify(report.checks));
  assert.equal(report.by, "publisher");
  assert.match(
    of(report, "rotation")!.message,
    /took the place of publisher's at entry \d+ of the plane's log, by both keys/,
  );
  const old = await checkSigner({ client: world.client, trust }, world.envelope, signedFor);
  assert.match(of(old, "revocation")!.message, /revoked as of .*, and this is proven to be older/);
  assert.equal(old.outcome, "good");
});

test("attack: the plane withholds a rotation, its place in the log, or gives another statement for it: the new key is nobody's", async (t) => {
  const world = await World.create(t);
  const { trust, said } = await rotated(world);
  const lies: ((path: string, bytes: Uint8Array) => Uint8Array)[] = [
    (path, bytes) => (/statements\/sha256:[0-9a-f]+$/.test(path) ? world.envelope.bytes : bytes),
    (path, bytes) => (/statements\/sha256:[0-9a-f]+$/.test(path) ? said.bytes : bytes),
  ];
  for (const lie of lies) {
    const client = new PlaneClient({ name: "url", value: world.plane.url, from: "--url" }, world.plane.adminToken);
    const bytes = client.bytes.bind(client);
    client.bytes = async (path: string) => lie(path, await bytes(path));
    const report = await checkSigner({ client, trust }, said, signedFor);
    assert.equal(report.outcome, "bad");
    assert.match(of(report, "signer")!.message, /nobody of the trust file signed it/);
  }
  const client = new PlaneClient({ name: "url", value: world.plane.url, from: "--url" }, world.plane.adminToken);
  const get = client.get.bind(client);
  client.get = async <T>(path: string): Promise<T> => {
    const answer = await get<StatementProof>(path);
    return { ...answer, index: answer.index + 1 } as T;
  };
  assert.equal((await checkSigner({ client, trust }, said, signedFor)).outcome, "bad");
});

test("attack: without any plane nobody knows that a key was revoked, and that is said", async (t) => {
  const world = await World.create(t);
  const report = await checkSigner({ trust: await world.plane.trust() }, world.envelope, signedFor);
  assert.equal(report.outcome, "not made");
  assert.deepEqual([of(report, "revocation")?.result, of(report, "log")?.result], ["not made", "not made"]);
});

test("attack: an approval for one repository's models, given for another's", async (t) => {
  const world = await World.create(t);
  const trust = await world.plane.trust();
  const unsaid = await checkSigner({ client: world.client, trust }, world.envelope, { action: "ingest" });
  assert.equal(unsaid.outcome, "not made");
  assert.match(of(unsaid, "rights")!.message, /which it is about is not said: give --repository/);
});

test("a stranger's signature is nobody's, and the key that it names is said", async (t) => {
  const world = await World.create(t, false);
  const trust = { ...(await world.plane.trust()), identities: [] };
  const report = await checkSigner({ client: world.client, trust }, world.envelope, signedFor);
  assert.equal(report.outcome, "bad");
  assert.equal(report.checks[0]?.message, `nobody of the trust file signed it; it names key ${world.signer.keyId}`);
});
