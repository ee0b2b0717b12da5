import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Device, EdgeError, type EdgeErrorCode, enroll, openDevice, recoverDevice, rotateKeys } from "@tally/edge";
import {
  type DeviceList,
  type DeviceState,
  type DeviceStatus,
  envelopeMediaType,
  exitCodeOf,
  type FleetDecision,
  fleetDecisionStatement,
  generatePrivateKeyPem,
  parseTrust,
  publicKeyOfPem,
  publicKeyPem,
  type Report,
  type StatementSigner,
  signStatement,
  statementSignerFromPem,
  type TokenResponse,
  verifyBundle,
} from "@tally/evidence";
import { checkLedger, checkMirroredLog } from "@tally/ledger";
import { type Plane, startPlane } from "@tally/plane";
import { findLedgers } from "./ledger-check/find-ledgers.ts";
import { KeyFinder } from "./ledger-check/ledger-keys.ts";

/** The plane's clock, which a test moves on. */
interface MovingClock {
  passed: number;
  now(): number;
}

/** The rooms put together: a real plane, real devices, and a verifier that trusts neither. */
class World {
  readonly folder: string;
  readonly plane: Plane;
  readonly #admin: string;
  readonly clock: MovingClock;
  /** The operator's second key. */
  readonly postQuantum = generatePrivateKeyPem("ml-dsa-44");
  readonly #operator = generatePrivateKeyPem("p-256");
  #devices = 0;

  private constructor(folder: string, plane: Plane, admin: string, clock: MovingClock) {
    this.folder = folder;
    this.clock = clock;
    this.plane = plane;
    this.#admin = admin;
  }

  static async start(t: TestContext): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), "tally-life-"));
    const clock: MovingClock = { passed: 0, now: () => Date.now() + clock.passed };
    const options = { dir: join(folder, "plane"), name: "tally.test/life", sealIntervalMs: 2 ** 30 };
    const plane = await startPlane({ ...options, clock });
    t.after(async () => {
      await plane.close();
      await rm(folder, { recursive: true, force: true });
    });
    const world = new World(folder, plane, (await readFile(plane.adminTokenPath, "utf8")).trim(), clock);
    const key = publicKeyPem(publicKeyOfPem(world.#operator).spki);
    await world.#know(key);
    await world.#know(publicKeyPem(publicKeyOfPem(world.postQuantum).spki));
    await writeFile(world.trustPath, (await world.call("GET", "/api/v1/trust")).bytes);
    return world;
  }

  /** A key by which the operator may manage the fleet. */
  async #know(key: string): Promise<void> {
    const operator = { name: "operator", key, may: ["manage-fleet"], repositories: ["*"] };
    await this.call("POST", "/api/v1/identities", JSON.stringify(operator), "application/json");
  }

  get trustPath(): string {
    return join(this.folder, "trust.json");
  }

  async call(method: string, path: string, body?: string | Uint8Array, type?: string) {
    const response = await fetch(this.plane.url + path, {
      method,
      headers: { authorization: `Bearer ${this.#admin}`, ...(type !== undefined && { "content-type": type }) },
      ...(body !== undefined && { body: body as string }),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    assert.ok(response.status < 300, `${path}: ${response.status} ${new TextDecoder().decode(bytes)}`);
    return { bytes, json: () => JSON.parse(new TextDecoder().decode(bytes)) as unknown };
  }

  async token(): Promise<string> {
    const made = await this.call("POST", "/api/v1/enrolment-tokens", "{}", "application/json");
    return (made.json() as TokenResponse).token;
  }

  /** A folder of an enrolled device. */
  async enrolled(): Promise<string> {
    const dir = join(this.folder, `device-${this.#devices++}`);
    await enroll({ dir, url: this.plane.url, token: await this.token(), trustPath: this.trustPath });
    return dir;
  }

  async ledgers(deviceId: string): Promise<readonly DeviceStatus[]> {
    return ((await this.call("GET", `/api/v1/devices/${deviceId}`)).json() as DeviceList).devices;
  }

  async states(deviceId: string): Promise<readonly DeviceState[]> {
    return (await this.ledgers(deviceId)).map(({ state }) => state);
  }

  async decide(decision: FleetDecision, ...others: readonly StatementSigner[]): Promise<void> {
    const signer = statementSignerFromPem(this.#operator);
    const { bytes } = await signStatement(fleetDecisionStatement(decision), signer, ...others);
    await this.call("POST", "/api/v1/statements", bytes, envelopeMediaType);
  }

  async accept(deviceId: string): Promise<void> {
    const { genesis: subject, origin } = (await this.ledgers(deviceId)).find(({ state }) => state === "awaiting")!;
    await this.decide({ decision: "accept-epoch", subject, origin, reason: "restored from a backup" });
  }

  async revoke(deviceId: string, compromiseTime: number | null): Promise<void> {
    for (const { genesis: subject, origin, keySetId: keyId } of await this.ledgers(deviceId)) {
      await this.decide({ decision: "revoke", subject, origin, keyId, compromiseTime, reason: "stolen" });
    }
  }

  async seal(): Promise<void> {
    await this.plane.parts.sealer.seal();
  }

  /** What a verifier finds of a device's records. */
  async audit(deviceId: string, changes: object = {}): Promise<Report> {
    await this.seal();
    const query = new URLSearchParams({ from: "0", to: String(this.clock.now() + 3_600_000), device: deviceId });
    return this.#verify(`/api/v1/audit?${query}`, changes);
  }

  async receipt(deviceId: string, index: number): Promise<Report> {
    return this.#verify(`/api/v1/receipts/${deviceId}/${index}`);
  }

  /** `changes` are to the trust file: what another verifier asks for. */
  async #verify(path: string, changes: object = {}): Promise<Report> {
    const { bytes } = await this.call("GET", path);
    const file = { ...(JSON.parse(await readFile(this.trustPath, "utf8")) as object), ...changes };
    return verifyBundle({ bundle: bytes, trust: parseTrust(JSON.stringify(file)), now: this.clock.now() });
  }
}

async function records(device: Device, number: number): Promise<number> {
  const model = await device.declare({ grade: "declared", runtime: "by hand", provider: "none" });
  let last = 0;
  for (let i = 0; i < number; i++) last = (await device.record({ model, input: `${i}`, output: "x" })).index;
  return last;
}

async function withDevice<T>(dir: string, run: (device: Device) => Promise<T>): Promise<T> {
  const device = await openDevice({ dir });
  try {
    return await run(device);
  } finally {
    await device.close();
  }
}

/** Records without the plane, as a device does that is away from its network. */
async function withoutPlane<T>(dir: string, run: (device: Device) => Promise<T>): Promise<T> {
  const device = await openDevice({ dir, config: { url: "http://127.0.0.1:9" } });
  try {
    return await run(device);
  } finally {
    await device.close();
  }
}

async function copyOf(dir: string, to: string): Promise<string> {
  await rm(to, { recursive: true, force: true });
  await cp(dir, to, { recursive: true, filter: (path) => !basename(path).startsWith("lock.") });
  return to;
}

function throwsCode(code: EdgeErrorCode, message = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof EdgeError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

const resultsOf = ({ checks }: Report, name: string) =>
  checks.filter((check) => check.name === name).map(({ result }) => result);
const bad = ({ checks }: Report) => checks.filter(({ result, required }) => result !== "good" && required);

test("restored and gone on: a person accepts the new epoch, and questions by device find the records of both", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const id = await withDevice(dir, async (device) => {
    await records(device, 3);
    await device.sync();
    return device.deviceId;
  });
  const backup = await copyOf(dir, join(world.folder, "backup"));
  await withDevice(dir, async (device) => {
    await records(device, 4);
    await device.sync();
  });
  await copyOf(backup, dir);
  await withoutPlane(dir, (device) => records(device, 2));

  await withDevice(dir, async (device) => {
    await records(device, 5);
    await assert.rejects(device.sync(), throwsCode("awaiting", /restored, and awaits acceptance/));
  });
  assert.deepEqual(await world.states(id), ["ok", "awaiting"]);
  const asked = (await world.ledgers(id))[1]!.restored!;
  assert.ok(asked.orphanFrom !== null && asked.bundles.length === 1 && asked.orphanSize > asked.orphanFrom);
  const before = await world.audit(id);
  assert.equal(before.answer?.records.length, 7);

  await world.accept(id);
  const mirrored = await withDevice(dir, async (device) => {
    assert.ok(device.origin.endsWith("/1"));
    return (await device.sync()).mirrored;
  });
  assert.ok(mirrored > 5);
  assert.deepEqual(await world.states(id), ["superseded", "ok"]);
  const report = await world.audit(id);
  assert.deepEqual(bad(report), []);
  assert.equal(report.answer?.records.length, 12);
  assert.deepEqual(resultsOf(report, "predecessor"), ["good"]);
  assert.deepEqual(resultsOf(report, "orphan branch"), ["not made"]);
  assert.deepEqual(resultsOf(report, "fleet decision"), ["good"]);
});

test("attack: whoever goes on with the old branch on the same ledger is convicted, while the device awaits acceptance", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const id = await withDevice(dir, async (device) => {
    await records(device, 3);
    await device.sync();
    return device.deviceId;
  });
  const thief = await openDevice({ dir: await copyOf(dir, join(world.folder, "thief")) });
  t.after(() => thief.close());
  await thief.sync();
  // The thief's copy was seen to continue the ledger; then the device goes on, and so does the thief.
  await copyOf(thief.core.folder.root, join(world.folder, "between"));
  await withDevice(dir, async (device) => {
    await records(device, 2);
    await device.sync();
  });
  await records(thief, 6);
  await assert.rejects(thief.sync(), throwsCode("blocked"));
  assert.deepEqual(await world.states(id), ["equivocated"]);
  await assert.rejects(
    withDevice(dir, (device) => device.sync()),
    throwsCode("blocked"),
  );
  const report = await world.audit(id);
  assert.equal(exitCodeOf(report), 3);
  assert.deepEqual(resultsOf(report, "one history"), ["bad"]);
});

test("damage below the signed size is said, with the way out; a new epoch goes on, and the old records still hold", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const id = await withDevice(dir, async (device) => {
    await records(device, 30);
    await device.sync();
    return device.deviceId;
  });
  const journal = join(dir, "journal", "entries");
  const bytes = await readFile(journal);
  bytes[bytes.length - 200]! ^= 0xff;
  await writeFile(journal, bytes);
  await assert.rejects(openDevice({ dir }), (error) => {
    assert.ok(error instanceof EdgeError && error.code === "damaged");
    assert.match(error.hint ?? "", /tally device recover/);
    return true;
  });
  const { origin } = await recoverDevice({ dir });
  assert.ok(origin.endsWith("/1"));
  assert.equal((await recoverDevice({ dir })).origin, origin, "asked again it is the same epoch");
  await withDevice(dir, async (device) => {
    await records(device, 2);
    await assert.rejects(device.sync(), throwsCode("awaiting"));
    await world.accept(id);
    await device.sync();
  });
  const report = await world.audit(id);
  assert.deepEqual(bad(report), []);
  assert.equal(report.answer?.records.length, 32);
});

test("after a compromise only what is proven older holds, and the device comes back under new keys", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const { id, older } = await withDevice(dir, async (device) => {
    const older = await records(device, 3);
    await device.sync();
    await world.seal();
    return { id: device.deviceId, older };
  });
  world.clock.passed += 60_000;
  const compromised = world.clock.now() - 30_000;
  const younger = await withDevice(dir, async (device) => {
    const younger = await records(device, 2);
    await device.sync();
    await world.seal();
    return younger;
  });
  await world.revoke(id, compromised);
  await assert.rejects(
    withDevice(dir, (device) => device.sync()),
    throwsCode("blocked"),
  );
  const report = await world.audit(id);
  assert.equal(report.answer?.ledgers[0]?.standing, "keys revoked");
  assert.equal(report.answer?.ledgers[0]?.keyRevoked, 2);
  assert.deepEqual(resultsOf(report, "fleet decision"), ["good"]);
  assert.equal(exitCodeOf(await world.receipt(id, older)), 0);
  const traced = await world.receipt(id, younger);
  assert.equal(traced.answer?.records[0]?.standing, "key revoked");
  assert.equal(exitCodeOf(traced), 6, "what a revoked key signed is not proven");

  await assert.rejects(recoverDevice({ dir, newKeys: true }), throwsCode("blocked"));
  await recoverDevice({ dir, newKeys: true, token: await world.token() });
  await withDevice(dir, async (device) => {
    await records(device, 1);
    await assert.rejects(device.sync(), throwsCode("awaiting"));
    await world.accept(id);
    await device.sync();
  });
  const after = await world.audit(id);
  assert.deepEqual(
    after.answer?.ledgers.map(({ standing }) => standing),
    ["keys revoked", "in good standing"],
  );
  assert.deepEqual(bad(after), []);
});

test("a decommissioned device is refused, and the answer says what it was", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const id = await withDevice(dir, async (device) => {
    await records(device, 3);
    await device.sync();
    return device.deviceId;
  });
  const [ledger] = await world.ledgers(id);
  const { genesis: subject, origin } = ledger!;
  await world.decide({ decision: "decommission", subject, origin, reason: "worn out" });
  await assert.rejects(
    withDevice(dir, (device) => device.sync()),
    throwsCode("blocked", /decommissioned/),
  );
  const report = await world.audit(id);
  assert.deepEqual(bad(report), []);
  assert.equal(report.answer?.ledgers[0]?.standing, "decommissioned");
  assert.equal(report.answer?.records.length, 3);
});

test("keys rotate: records before and after hold, and the old keys alone are refused", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const id = await withDevice(dir, async (device) => {
    await records(device, 3);
    await device.sync();
    return device.deviceId;
  });
  const old = await copyOf(dir, join(world.folder, "old"));
  const publicBefore = await readFile(join(dir, "keys", "ed25519.pem"), "utf8");
  await rotateKeys({ dir });
  assert.notEqual(await readFile(join(dir, "keys", "ed25519.pem"), "utf8"), publicBefore);
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith("keys")),
    ["keys"],
  );
  await withDevice(dir, async (device) => {
    await records(device, 2);
    await device.sync();
  });
  await assert.rejects(
    withDevice(old, (device) => device.sync()),
    throwsCode("denied", /the signature is not of the key/),
  );
  const report = await world.audit(id);
  assert.deepEqual(bad(report), []);
  assert.equal(report.answer?.records.length, 5);
  assert.deepEqual(resultsOf(report, "key rotation"), ["good"]);
  assert.equal(exitCodeOf(await world.receipt(id, 3)), 0);
});

/** As `tally ledger check`: what is found of the signatures of a device's ledger, by its name in that folder. */
async function signaturesIn(folder: string, origin: string, trustPath?: string) {
  const trust = trustPath === undefined ? undefined : parseTrust(await readFile(trustPath));
  const ledgers = await findLedgers(folder);
  const finder = await KeyFinder.of(ledgers, trust);
  for (const found of ledgers) {
    const keys = await finder.keysOf(found);
    const options = keys === undefined ? {} : { keySet: keys.keySet };
    const report = await (found.kind === "own"
      ? checkLedger(found.dir, options)
      : checkMirroredLog(found.dir, options));
    if (report.origin === origin) return `${report.signatures}, ${report.problems.length}, ${keys?.source}`;
  }
  return "not found";
}

test("a ledger whose keys were rotated is checked by the keys of its size: the device's, a plane's with trust and without", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const origin = await withDevice(dir, async (device) => {
    await records(device, 3);
    await device.sync();
    return device.origin;
  });
  const before = await copyOf(dir, join(world.folder, "before"));
  for (let round = 0; round < 2; round++) {
    await rotateKeys({ dir });
    await withDevice(dir, async (device) => {
      await records(device, 2);
      await device.sync();
    });
  }
  assert.equal(await signaturesIn(dir, origin), "good, 0, first entry");
  assert.equal(await signaturesIn(before, origin), "good, 0, first entry");
  const plane = join(world.folder, "plane");
  assert.equal(await signaturesIn(plane, origin, world.trustPath), "good, 0, fleet log");
  assert.equal(await signaturesIn(plane, origin), "good, 0, first entry");
  // Where nobody says which keys took over nothing is wrong, and nothing is proven.
  const alone = join(world.folder, "alone");
  await cp(join(dir, "journal"), alone, { recursive: true });
  assert.equal(await signaturesIn(alone, origin), "not-checked, 0, first entry");
  // Keys that the ledger's events do not name are not taken from the folder that it lies in.
  await cp(join(before, "journal"), join(world.folder, "mixed", "journal"), { recursive: true });
  for (const name of ["keys", "state"]) {
    await cp(join(dir, name), join(world.folder, "mixed", name), { recursive: true });
  }
  assert.equal(await signaturesIn(join(world.folder, "mixed"), origin), "good, 0, first entry");
});

for (const moment of ["before the plane has heard of it", "after the plane has taken it"] as const) {
  test(`a rotation that dies ${moment} is ended by the next start, and nothing is lost`, async (t) => {
    const world = await World.start(t);
    const dir = await world.enrolled();
    const id = await withDevice(dir, async (device) => {
      await records(device, 3);
      return device.deviceId;
    });
    const real = globalThis.fetch;
    const died = t.mock.method(globalThis, "fetch", async (...[url, init]: Parameters<typeof fetch>) => {
      if (!String(url).endsWith("/keys")) return real(url, init);
      if (moment.startsWith("after")) await real(url, init);
      throw new TypeError("killed");
    });
    await assert.rejects(rotateKeys({ dir }), throwsCode("unreachable"));
    died.mock.restore();
    await withDevice(dir, async (device) => {
      await records(device, 2);
      await device.sync();
    });
    const report = await world.audit(id);
    assert.deepEqual(bad(report), []);
    assert.equal(report.answer?.records.length, 5);
    assert.deepEqual(resultsOf(report, "key rotation"), ["good"]);
  });
}

test("a rotation that dies between putting the old keys aside and the new ones in place has its keys at the next start", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  await rotateKeys({ dir });
  await cp(join(dir, "keys"), join(dir, "keys-old"), { recursive: true });
  await rename(join(dir, "keys"), join(dir, "keys-next"));
  await withDevice(dir, (device) => device.sync());
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith("keys")),
    ["keys"],
  );
});

test("after the cutoff a classical signature counts only where ML-DSA proves it older, or stands beside it", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const id = await withDevice(dir, async (device) => {
    await records(device, 2);
    await device.sync();
    return device.deviceId;
  });
  const [ledger] = await world.ledgers(id);
  const { genesis: subject, origin } = ledger!;
  await world.decide({ decision: "decommission", subject, origin, reason: "worn out" });
  const [before, after] = [world.clock.now() - 60_000, world.clock.now() + 60_000];
  assert.deepEqual(resultsOf(await world.audit(id, { classicalUntil: after }), "fleet decision"), ["good"]);
  assert.deepEqual(resultsOf(await world.audit(id, { classicalUntil: before }), "fleet decision"), ["not made"]);

  const other = await world.enrolled();
  const second = await withDevice(other, async (device) => {
    await device.sync();
    return device.deviceId;
  });
  const [next] = await world.ledgers(second);
  const both = statementSignerFromPem(world.postQuantum);
  await world.decide({ decision: "decommission", subject: next!.genesis, origin: next!.origin, reason: "too" }, both);
  const report = await world.audit(second, { classicalUntil: before });
  assert.deepEqual(resultsOf(report, "fleet decision"), ["good"]);
});

test("attack: file keys where the trust file asks for keys of another kind prove nothing", async (t) => {
  const world = await World.start(t);
  const dir = await world.enrolled();
  const id = await withDevice(dir, async (device) => {
    await records(device, 2);
    await device.sync();
    return device.deviceId;
  });
  const asked = { requiredDeviceAlgorithms: ["p-256", "ml-dsa-44"] };
  const report = await world.audit(id, asked);
  assert.deepEqual(resultsOf(report, "device checkpoint"), ["bad"]);
  assert.deepEqual(report.answer?.records, []);
  assert.equal(exitCodeOf(report), 3);
  assert.deepEqual(bad(await world.audit(id, { requiredDeviceAlgorithms: ["ed25519", "ml-dsa-44"] })), []);
});
