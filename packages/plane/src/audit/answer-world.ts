import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  approvalStatement,
  asHash,
  concernsDevice,
  type Digest,
  decodeEntry,
  digestFromHash,
  digestOf,
  type Entry,
  encodeEntry,
  encodeJson,
  erasureType,
  formatNote,
  formatVkey,
  generatePrivateKeyPem,
  type HeadLeaf,
  headsRoot,
  ingestionStatement,
  type JsonObject,
  type KeyRotation,
  type KeySet,
  keyRotationStatement,
  type LoadCount,
  modelSignatureStatement,
  modelStatement,
  type NoteSigner,
  noteSignerFromPem,
  parseCheckpoint,
  parseEnvelope,
  parseErasure,
  parseQuarantine,
  parseTrust,
  publicKeyOfPem,
  publicKeyPem,
  quarantineType,
  type RootHash,
  randomBytes,
  releaseStatement,
  type Statement,
  sha256,
  signStatement,
  sortHeadLeaves,
  statementSignerFromPem,
  subjectDigests,
  type Trust,
  toHex,
  trainingStatement,
  utf8,
} from "@tally/evidence";
import { Ledger, type MirroredLog } from "@tally/ledger";
import type { AnchorRow, AuditSource, ContradictionRow, HeadStep, HeadsAt, StatementRow } from "./source.ts";

// A small fleet on real ledgers, for tests of answers: a plane, one witness, a publisher, a reviewer, devices. Time is
// set by hand, so that a month takes no longer than a call.

const planeName = "plane.test";
const people = {
  publisher: { may: ["ingest", "train", "sign-model", "release", "select"], repositories: ["*"] },
  reviewer: { may: ["approve", "evaluate"], repositories: ["*"] },
  second: { may: ["approve", "train"], repositories: ["*"] },
  steward: { may: ["quarantine"], repositories: ["*"] },
  outsider: { may: ["sign-model", "approve", "release", "quarantine"], repositories: ["toys"] },
} as const;
export type Person = keyof typeof people;
type RawEntry = Record<string, unknown> & { kind: Entry["kind"] };

/** What a device holds in a test: its ledger, its keys, and the counting that its records need. */
export interface TestDevice {
  readonly id: string;
  readonly origin: string;
  readonly ledger: Ledger;
  readonly pems: readonly [string, string];
  readonly keySet: KeySet;
  load: TestLoad | undefined;
  /** Accepted loads of the run that is open. */
  loads: TestLoad[];
  runStart: number;
  mirroredSize: number;
}

export interface TestLoad {
  readonly index: number;
  count: number;
  unloadIndex: number | null;
}

export interface TestModel {
  readonly manifest: Digest;
  readonly file: Digest;
  readonly permit: Digest;
}

export class AnswerWorld implements AuditSource {
  readonly dir: string;
  readonly log: Ledger;
  readonly fleet: Ledger;
  readonly trust: Trust;
  readonly trustFile: Uint8Array;
  nowMs: number;
  readonly devices: TestDevice[] = [];
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly accusations = new Map<string, ContradictionRow[]>();
  readonly #witness: NoteSigner;
  readonly #people: Readonly<Record<Person, string>>;
  /** What the plane says of a ledger's head instead of the truth. */
  readonly lies = new Map<string, Partial<HeadLeaf>>();
  /** The root that heads entries name for the fleet log instead of its own. */
  fleetLie: RootHash | undefined;
  /** Whether answers show when statements were logged, as a plane's do for keys that count by their time. */
  timed = false;
  /** Ledgers that the plane shows in place of the devices' own. */
  readonly forged = new Map<string, Ledger>();
  readonly #deviceNotes = new Map<string, Uint8Array>();
  readonly #fleetNotes = new Map<number, Uint8Array>();
  readonly #trees = new Map<number, readonly HeadLeaf[]>();
  readonly #steps = new Map<string, HeadStep[]>();
  readonly #sealed: HeadsAt[] = [];
  readonly #statements: (StatementRow & { readonly subjects: readonly Digest[] })[] = [];
  #newest: { size: number; note: Uint8Array } | undefined;

  private constructor(parts: {
    dir: string;
    log: Ledger;
    fleet: Ledger;
    trustFile: Uint8Array;
    witness: NoteSigner;
    people: Readonly<Record<Person, string>>;
    nowMs: number;
  }) {
    this.dir = parts.dir;
    this.log = parts.log;
    this.fleet = parts.fleet;
    this.trust = parseTrust(parts.trustFile);
    this.trustFile = parts.trustFile;
    this.nowMs = parts.nowMs;
    this.#witness = parts.witness;
    this.#people = parts.people;
  }

  static async create(): Promise<AnswerWorld> {
    const dir = await mkdtemp(join(tmpdir(), "tally-answer-"));
    const pems = [generatePrivateKeyPem("ed25519"), generatePrivateKeyPem("ml-dsa-44")] as const;
    const signers = (origin: string) => [noteSignerFromPem(origin, 1, pems[0]), noteSignerFromPem(origin, 6, pems[1])];
    const open = (name: string) =>
      Ledger.open({
        dir: join(dir, name),
        origin: `${planeName}/${name}`,
        signers: signers(`${planeName}/${name}`),
        checkpointTime: "clock",
      });
    const witness = noteSignerFromPem("witness.test/w", 4, generatePrivateKeyPem("ed25519"));
    const keys = Object.fromEntries(
      Object.keys(people).map((name) => [name, generatePrivateKeyPem("p-256")]),
    ) as Record<Person, string>;
    const trustFile = encodeJson({
      format: "tally-trust/v1",
      plane: {
        name: planeName,
        log: signers(`${planeName}/log`).map(({ key }) => formatVkey(key)),
        fleet: signers(`${planeName}/fleet`).map(({ key }) => formatVkey(key)),
      },
      policy: `witness w ${formatVkey(witness.key)}\nquorum w\n`,
      requiredAlgorithms: ["ed25519", "ml-dsa-44"],
      identities: (Object.keys(people) as Person[]).map((name) => ({
        name,
        key: publicKeyPem(publicKeyOfPem(keys[name]).spki),
        may: [...people[name].may],
        repositories: [...people[name].repositories],
      })),
      skewSeconds: 300,
    });
    const world = new AnswerWorld({
      dir,
      log: await open("log"),
      fleet: await open("fleet"),
      trustFile,
      witness,
      people: keys,
      nowMs: Date.UTC(2026, 0, 1),
    });
    const keySet = signers(planeName).map(({ key }) => ({ type: key.type, publicKey: key.publicKey }));
    await world.#append(world.fleet, { kind: "keys", origin: planeName, fromSize: 0, keySet });
    await world.seal();
    return world;
  }

  async destroy(): Promise<void> {
    await Promise.all([this.log, this.fleet, ...this.devices.map(({ ledger }) => ledger)].map((l) => l.close()));
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Moves the clock, in milliseconds. */
  pass(ms: number): void {
    this.nowMs += ms;
  }

  /**
   * @param lie what the plane writes into the fleet log instead of the truth.
   * @param classical the key beside ML-DSA: in a file, or P-256 as a TPM has it.
   */
  async enrol(
    lie: (keySet: KeySet) => Record<string, unknown> = () => ({}),
    classical: "ed25519" | "p-256" = "ed25519",
  ): Promise<TestDevice> {
    const id = toHex(randomBytes(16));
    const origin = `${planeName}/d/${id}/0`;
    const pems = [generatePrivateKeyPem(classical), generatePrivateKeyPem("ml-dsa-44")] as const;
    const type = classical === "p-256" ? 2 : 1;
    const signers = [noteSignerFromPem(origin, type, pems[0]), noteSignerFromPem(origin, 6, pems[1])];
    const ledger = await Ledger.open({ dir: join(this.dir, id), origin, signers });
    const keySet = signers.map(({ key }) => ({ type: key.type, publicKey: key.publicKey }));
    const anchor = this.#anchor();
    const genesis: Entry = {
      kind: "genesis",
      time: this.nowMs,
      version: 1,
      deviceId: id,
      epoch: 0,
      keySet,
      plane: planeName,
      anchor,
      nonce: asHash(randomBytes(32)),
    };
    const { leaf, committed } = ledger.append(encodeEntry(genesis));
    await committed;
    const admission = { kind: "enrol", deviceId: id, epoch: 0, origin, genesisHash: leaf, keySet } as const;
    await this.#append(this.fleet, { ...admission, ...lie(keySet) });
    const device: TestDevice = {
      id,
      origin,
      ledger,
      pems,
      keySet,
      load: undefined,
      loads: [],
      runStart: 0,
      mirroredSize: 0,
    };
    this.devices.push(device);
    return device;
  }

  /** Ingests, trains, signs, approves and releases a model, as far as `steps` says. */
  async publish(
    name: string,
    steps: { approvedBy?: Person | null; release?: boolean; trainedBy?: Person; verdict?: JsonObject } = {},
  ): Promise<TestModel> {
    const digest = (what: string) => digestOf(utf8(`${name} ${what}`));
    const [manifest, file, data] = [digest("manifest"), digest("model.onnx"), digest("data")];
    const files = [{ name: "model.onnx", digest: file, size: 1000 }];
    await this.state(
      "publisher",
      ingestionStatement({
        source: "https://archive.example/data",
        license: "CC-BY-4.0",
        files: [{ name: "data.csv", digest: data, size: 10 }],
      }),
    );
    await this.state(
      steps.trainedBy ?? "publisher",
      trainingStatement([{ name: "model.onnx", digest: file }], {
        buildType: "urn:test:training",
        parameters: { seed: 1 },
        dependencies: [{ name: "data.csv", digest: data, role: "dataset" }],
        builder: "urn:test:builder",
      }),
    );
    const signature = await this.state(
      "publisher",
      modelSignatureStatement({
        name,
        resources: [{ path: "model.onnx", digest: file }],
        method: "files",
        allowSymlinks: false,
        ignorePaths: [],
      }),
    );
    const inputs = [
      signature,
      await this.state("publisher", modelStatement({ manifest, repository: "tumours", files, signature })),
    ];
    const { approvedBy = "reviewer", release = true } = steps;
    if (approvedBy !== null) {
      inputs.push(await this.state(approvedBy, approvalStatement({ manifest, decision: "approved", evaluated: [] })));
    }
    if (release) {
      await this.state(
        "publisher",
        releaseStatement({
          manifest,
          purl: `pkg:oci/tumours@${manifest}`,
          releaseId: name,
          channel: "tumours:stable",
          sequence: 1,
        }),
      );
    }
    return { manifest, file, permit: await this.verdict(manifest, inputs, steps.verdict) };
  }

  /** The verdict of a device's gate that allows to load a model, stored as a blob. */
  async verdict(manifest: Digest, inputs: readonly Digest[], changes: JsonObject = {}): Promise<Digest> {
    const allowed = { gate: "load", subject: manifest, repository: "tumours", allow: true, reasons: [], inputs };
    const bytes = encodeJson({ ...allowed, ...changes });
    this.blobs.set(digestOf(bytes), bytes);
    return digestOf(bytes);
  }

  /** @param lies what the plane writes into its log about the envelope instead of the truth. */
  async state(person: Person, statement: Statement, lies: Record<string, unknown> = {}): Promise<Digest> {
    return this.stateWith([this.#people[person]], statement, lies);
  }

  /** As `state`, signed with these private keys. */
  async stateWith(pems: readonly string[], statement: Statement, lies: Record<string, unknown> = {}): Promise<Digest> {
    const { bytes, digest } = await signStatement(statement, ...pems.map(statementSignerFromPem));
    this.blobs.set(digest, bytes);
    const subjects = subjectDigests(statement);
    const { predicateType } = statement;
    const index = await this.#append(this.log, {
      kind: "statement",
      envelope: digest,
      predicateType,
      subjects,
      ...lies,
    });
    this.#statements.push({ envelope: digest, predicateType, index, subjects });
    return digest;
  }

  /** @param lies what the device writes instead of the truth. */
  async load(
    device: TestDevice,
    model: TestModel,
    outcome: "accepted" | "refused" = "accepted",
    lies: Record<string, unknown> = {},
  ): Promise<number> {
    const index = await this.#append(device.ledger, {
      kind: "load",
      manifest: model.manifest,
      files: [{ digest: model.file, size: 1000 }],
      runtime: "onnxruntime 1",
      provider: "cpu",
      grade: "measured",
      permit: outcome === "accepted" ? model.permit : null,
      outcome,
      reason: outcome === "accepted" ? 0 : 3,
      ...lies,
    });
    if (outcome === "accepted") {
      device.load = { index, count: 0, unloadIndex: null };
      device.loads.push(device.load);
    }
    return index;
  }

  async unload(device: TestDevice): Promise<void> {
    const load = device.load!;
    load.unloadIndex = await this.write(device, { kind: "unload", loadIndex: load.index, reason: 0 });
  }

  async restart(device: TestDevice): Promise<void> {
    device.runStart = await this.write(device, {
      kind: "restart",
      tallyVersion: "0.1.0",
      runtime: "node",
      clean: true,
      previousRun: device.runStart,
      closing: countsOf(device),
    });
    device.loads = [];
  }

  /** Any entry, for tests of liars. */
  write(device: TestDevice, entry: RawEntry): Promise<number> {
    return this.#append(device.ledger, entry);
  }

  /** Any entry of the fleet log, for tests of planes that lie. */
  tell(entry: RawEntry): Promise<number> {
    return this.#append(this.fleet, entry);
  }

  /** One inference; `ordinal` is given only by tests of liars. */
  async infer(device: TestDevice, ordinal?: number, loadIndex?: number): Promise<number> {
    const load = device.load!;
    const commitment = { commitment: sha256(randomBytes(8)), slot: 0 };
    const index = await this.#append(device.ledger, {
      kind: "inference",
      loadIndex: loadIndex ?? load.index,
      ordinal: ordinal ?? load.count,
      input: commitment,
      output: commitment,
      durationMicros: 100,
      captureLevel: 0,
    });
    load.count += 1;
    return index;
  }

  /** A sync as evidence.md orders it, and the plane's seal after it; without `deliver` the entries stay on the device. */
  async sync(device: TestDevice, deliver = true): Promise<void> {
    await this.seal();
    await this.#append(device.ledger, { kind: "anchor", ...this.#anchor() });
    await this.#append(device.ledger, { kind: "summary", runStart: device.runStart, loads: countsOf(device) });
    const { note, checkpoint } = await device.ledger.seal();
    this.blobs.set(digestOf(utf8(note)), utf8(note));
    this.#deviceNotes.set(`${device.origin} ${checkpoint.size}`, utf8(note));
    if (deliver) device.mirroredSize = checkpoint.size;
    await this.seal();
  }

  /** The plane holds the ledger up to a head that the device has signed, however it came to be. */
  deliver(device: TestDevice, note: string, size: number): void {
    this.blobs.set(digestOf(utf8(note)), utf8(note));
    this.#deviceNotes.set(`${device.origin} ${size}`, utf8(note));
    device.mirroredSize = size;
  }

  /** A person's private key, for tests of thieves. */
  pemOf(person: Person): string {
    return this.#people[person];
  }

  /** A person goes on with a new key, as the plane's log and the fleet log have it. @param lies of the fleet log's entry */
  async rotatePerson(
    person: Person,
    rotation: Omit<KeyRotation, "oldKeyId">,
    pems: readonly string[],
    lies = {},
  ): Promise<Digest> {
    const { keyId: oldKeyId } = statementSignerFromPem(this.#people[person]).identity;
    return this.rotate({ ...rotation, oldKeyId }, pems, lies);
  }

  /** The same of any key. */
  async rotate(rotation: KeyRotation, pems: readonly string[], lies = {}): Promise<Digest> {
    const keyId = rotation.oldKeyId;
    const statement = await this.stateWith(pems, keyRotationStatement(rotation));
    const entry = { kind: "revoke", origin: null, keyId, compromiseTime: rotation.retiresAt, statement, ...lies };
    await this.#append(this.fleet, entry as RawEntry);
    await this.seal();
    return statement;
  }

  /** The fleet log's revocation of a person's key. */
  async revokePerson(person: Person, compromiseTime: number | null): Promise<void> {
    const { keyId } = statementSignerFromPem(this.#people[person]).identity;
    const statement = digestOf(utf8("revoked"));
    await this.#append(this.fleet, { kind: "revoke", origin: null, keyId, compromiseTime, statement });
    await this.seal();
  }

  async revoke(device: TestDevice, compromiseTime: number | null): Promise<void> {
    const keyId = toHex(sha256(utf8(device.origin)));
    const statement = digestOf(utf8("revoked"));
    await this.#append(this.fleet, { kind: "revoke", origin: device.origin, keyId, compromiseTime, statement });
    await this.seal();
  }

  /** Appends heads, signs the plane's log, has the witness cosign it. */
  async seal(): Promise<void> {
    const fleet = await this.fleet.seal();
    this.#fleetNotes.set(fleet.checkpoint.size, utf8(fleet.note));
    const leaves = sortHeadLeaves(
      await Promise.all(
        this.devices.map(async (device) => ({ ...(await headLeaf(device)), ...this.lies.get(device.origin) })),
      ),
    );
    const headsIndex = await this.#append(this.log, {
      kind: "heads",
      fleetSize: fleet.checkpoint.size,
      fleetRoot: this.fleetLie ?? fleet.checkpoint.root,
      n: leaves.length,
      root: headsRoot(leaves),
    });
    this.#trees.set(headsIndex, leaves);
    const { note, checkpoint } = await this.log.seal();
    const seconds = Math.floor(this.nowMs / 1000);
    const cosignature = await this.#witness.sign(checkpoint, seconds);
    const { note: parsed } = parseCheckpoint(utf8(note));
    const complete = utf8(formatNote(parsed.text, [...parsed.signatures, cosignature]));
    this.blobs.set(digestOf(complete), complete);
    this.#newest = { size: checkpoint.size, note: complete };
    this.#sealed.push({ headsIndex, note: digestOf(complete), notAfter: seconds * 1000 + 999 });
    for (const { origin, pendingSize } of leaves) {
      const steps = this.#steps.get(origin) ?? [];
      if (steps.at(-1)?.pendingSize === pendingSize || pendingSize === 0) continue;
      const step = { headsIndex, pendingSize, note: digestOf(complete), notAfter: seconds * 1000 + 999 };
      this.#steps.set(origin, [...steps, step]);
    }
  }

  #anchor() {
    const { size, note } = this.#newest!;
    return { size, root: parseCheckpoint(note).checkpoint.root, noteHash: sha256(note) };
  }

  async #append(ledger: Ledger, entry: RawEntry): Promise<number> {
    const { index, committed } = ledger.append(encodeEntry({ time: this.nowMs, ...entry } as Entry));
    await committed;
    return index;
  }

  // What the plane's index answers.

  async newest() {
    return this.#newest;
  }
  async fleetNote(size: number) {
    return this.#fleetNotes.get(size);
  }
  async lastHeadsBelow(size: number) {
    return [...this.#trees.keys()].filter((index) => index < size).at(-1);
  }
  async headsLeaves(headsIndex: number) {
    return this.#trees.get(headsIndex) ?? [];
  }
  async headHistory(origin: string) {
    return this.#steps.get(origin) ?? [];
  }
  async headStepFrom(origin: string, size: number) {
    return (this.#steps.get(origin) ?? []).find(({ pendingSize }) => pendingSize >= size);
  }
  async headsNotAfter(time: number) {
    return this.#sealed.findLast(({ notAfter }) => notAfter <= time);
  }
  async packagesOf(origin: string, loads: ReadonlySet<number>, from: number, to: number) {
    const found = new Set<number>();
    await this.#eachEntry(origin, (entry, index) => {
      const asked = entry.kind === "inference" && loads.has(entry.loadIndex) && index >= from && index < to;
      if (asked) found.add(Math.floor(index / 256));
    });
    return [...found];
  }
  async gaps(origin: string, from: number, to: number) {
    const found: number[] = [];
    await this.#eachEntry(origin, (entry, index) => {
      if (entry.kind === "gap" && index >= from && index < to) found.push(index);
    });
    return found;
  }
  async anchors(origin: string): Promise<readonly AnchorRow[]> {
    const rows: AnchorRow[] = [];
    await this.#eachEntry(origin, (entry, index) => {
      const reference = entry.kind === "anchor" ? entry : entry.kind === "genesis" ? entry.anchor : undefined;
      if (reference === undefined) return;
      const note = digestFromHash(reference.noteHash);
      rows.push({ index, note, notBefore: this.#timeOf(note) });
    });
    return rows;
  }
  async statingEntryAt(origin: string, at: number) {
    let found = 0;
    await this.#eachEntry(origin, (entry, index) => {
      if (index <= at && ["genesis", "restart", "summary"].includes(entry.kind)) found = index;
    });
    return found;
  }
  async statingEntryAfter(origin: string, after: number) {
    let found: number | undefined;
    await this.#eachEntry(origin, (entry, index) => {
      if (index > after && found === undefined && ["restart", "summary"].includes(entry.kind)) found = index;
    });
    return found;
  }
  mirror(origin: string) {
    const ledger = this.forged.get(origin) ?? this.devices.find((device) => device.origin === origin)?.ledger;
    return ledger as MirroredLog | undefined;
  }
  async planeNote(digest: Digest) {
    return this.blobs.get(digest);
  }
  async blob(digest: Digest) {
    return this.blobs.get(digest);
  }
  async statementsAbout(subject: Digest) {
    return this.#statements.filter(({ subjects }) => subjects.includes(subject));
  }
  async erasures(origin: string) {
    return this.#statements.filter(({ envelope, predicateType }) => {
      if (predicateType !== erasureType) return false;
      return parseErasure(parseEnvelope(this.blobs.get(envelope)!).statement).origin === origin;
    });
  }
  async quarantines(origin: string) {
    return this.#statements.filter(({ envelope, predicateType }) => {
      if (predicateType !== quarantineType) return false;
      const word = parseQuarantine(parseEnvelope(this.blobs.get(envelope)!).statement);
      return word.decision === "quarantine" && concernsDevice(word.what, origin);
    });
  }
  async statement(envelope: Digest) {
    return this.#statements.find((row) => row.envelope === envelope);
  }
  async statementTimes({ index }: StatementRow) {
    if (!this.timed) return [];
    const before = this.#sealed.findLast(({ headsIndex }) => headsIndex < index);
    const covering = this.#sealed.find(({ headsIndex }) => headsIndex >= index);
    return [before, covering].flatMap((sealed) => (sealed === undefined ? [] : [sealed.note]));
  }
  async contradictions(origin: string) {
    return this.accusations.get(origin) ?? [];
  }
  async handovers() {
    return [];
  }

  async mirroredNote(origin: string, size: number) {
    return this.#deviceNotes.get(`${origin} ${size}`);
  }

  async #eachEntry(origin: string, visit: (entry: Entry, index: number) => void): Promise<void> {
    const device = this.devices.find((candidate) => candidate.origin === origin)!;
    let index = 0;
    for await (const bytes of device.ledger.entries(0, device.mirroredSize)) {
      visit(decodeEntry(bytes), index);
      index += 1;
    }
  }

  #timeOf(note: Digest): number | null {
    const bytes = this.blobs.get(note);
    if (bytes === undefined) return null;
    const line = parseCheckpoint(bytes).note.signatures.find(({ name }) => name === this.#witness.key.name);
    return line === undefined ? null : Number(new DataView(line.signature.slice().buffer).getBigUint64(0)) * 1000;
  }
}

async function headLeaf({ origin, ledger, mirroredSize }: TestDevice): Promise<HeadLeaf> {
  const note = ledger.latest?.note;
  const pendingSize = note === undefined ? 0 : ledger.latest!.checkpoint.size;
  return {
    origin,
    pendingSize,
    pendingRoot: await ledger.root(pendingSize),
    pendingNoteHash: note === undefined ? null : sha256(utf8(note)),
    mirroredSize,
    mirroredRoot: await ledger.root(mirroredSize),
  };
}

function countsOf({ loads }: TestDevice): readonly LoadCount[] {
  return loads.map(({ index: loadIndex, count, unloadIndex }) => ({ loadIndex, count, unloadIndex }));
}
