import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  approvalStatement,
  type Digest,
  digestOf,
  type Envelope,
  generatePrivateKeyPem,
  ingestionStatement,
  modelSignatureStatement,
  modelStatement,
  publicKeyPem,
  type Role,
  releaseStatement,
  type Statement,
  type StatementResponse,
  signStatement,
  statementSignerFromPem,
  type TrainingDependency,
  trainingBuildType,
  trainingStatement,
  utf8,
} from "@tally/evidence";
import { type BlobStore, createRegistry, type Database, FileBlobStore, openSqlite, type Registry } from "@tally/oci";
import { openPlaneKeys, type PlaneKeys } from "../keys/plane-keys.ts";
import { PlaneLogs } from "../log/plane-logs.ts";
import { createTables } from "../store/schema.ts";
import { Channels, Identities, Lineage, Quarantines, Statements } from "./index.ts";

// The statements part of a plane on a real database, real blobs and real ledgers in a folder of its own, for tests. Its
// people are made anew; everything is really signed.

export const planeName = "plane.test";
export const repository = "models/heart";
export const channel = `${repository}:stable`;

const rights = {
  publisher: ["ingest", "sign-model"],
  trainer: ["train", "approve"],
  reviewer: ["approve", "evaluate", "quarantine"],
  releaser: ["release"],
  scientist: ["select"],
} as const;
type Known = keyof typeof rights;
export type Person = Known | "stranger";

const signers = new Map(
  [...Object.keys(rights), "stranger"].map((name) => [name, statementSignerFromPem(generatePrivateKeyPem("p-256"))]),
);

export function signerOf(person: Person) {
  return signers.get(person)!;
}

export function keyOf(person: Person): string {
  return publicKeyPem(signerOf(person).identity.spki);
}

export function by(person: Person, statement: Statement): Promise<Envelope> {
  return signStatement(statement, signerOf(person));
}

export function named(text: string): Digest {
  return digestOf(utf8(text));
}

/** A model as the tests speak of it: its name decides its digests. */
export interface TestModel {
  readonly manifest: Digest;
  readonly file: { readonly name: string; readonly digest: Digest; readonly size: number };
}

export function modelNamed(name: string): TestModel {
  return {
    manifest: named(`manifest of ${name}`),
    file: { name: "model.onnx", digest: named(name), size: name.length },
  };
}

export const approval = ({ manifest }: TestModel, decision: "approved" | "rejected" = "approved") =>
  approvalStatement({ manifest, decision, evaluated: [] });

export const release = ({ manifest }: TestModel, sequence: number, to = channel) =>
  releaseStatement({ manifest, purl: `pkg:oci/heart@${manifest}`, releaseId: `${sequence}`, channel: to, sequence });

export const ingestion = (name: string) =>
  ingestionStatement({
    source: "https://data.example/heart",
    license: "CC-BY-4.0",
    files: [{ name, digest: named(name), size: 100 }],
  });

export class StatementWorld {
  readonly dir: string;
  readonly keys: PlaneKeys;
  nowMs = Date.UTC(2026, 0, 1);
  /** When set, the next rows are lost on their way to the database, as when the process is killed before it writes them. */
  killBeforeRows = false;
  db!: Database;
  blobs!: BlobStore;
  logs!: PlaneLogs;
  registry!: Registry;
  identities!: Identities;
  statements!: Statements;
  channels!: Channels;
  lineage!: Lineage;
  quarantines!: Quarantines;

  private constructor(dir: string, keys: PlaneKeys) {
    this.dir = dir;
    this.keys = keys;
  }

  static async create(): Promise<StatementWorld> {
    const dir = await mkdtemp(join(tmpdir(), "tally-statements-"));
    const world = new StatementWorld(dir, await openPlaneKeys(join(dir, "keys"), planeName));
    await world.open();
    for (const person of Object.keys(rights) as Known[]) {
      await world.identities.add({ name: person, key: keyOf(person), may: rights[person], repositories: ["models/*"] });
    }
    return world;
  }

  async open(): Promise<void> {
    const clock = { now: () => this.nowMs };
    this.db = await openSqlite(join(this.dir, "plane.db"));
    await createTables(this.db);
    this.blobs = new FileBlobStore(join(this.dir, "blobs"));
    this.logs = await PlaneLogs.open(join(this.dir, "logs"), planeName, this.keys, clock);
    const { blobs, logs } = this;
    const db = this.#mortal(this.db);
    this.registry = createRegistry({ blobs, db: this.db, authorize: async () => {} });
    this.identities = new Identities({ db, name: planeName, keys: this.keys, policyText: "quorum none\n" });
    this.statements = new Statements({ db, blobs, logs, identities: this.identities, clock });
    await this.statements.rebuild();
    this.channels = new Channels({ db, logs, statements: this.statements });
    this.quarantines = new Quarantines({ statements: this.statements, identities: this.identities });
    const { statements, registry, quarantines } = this;
    this.lineage = new Lineage({ db, statements, registry, quarantines });
  }

  async restart(): Promise<void> {
    await this.logs.close();
    await this.db.close();
    await this.open();
  }

  async destroy(): Promise<void> {
    await this.logs.close();
    await this.db.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  add(envelope: Envelope, role: Role = "admin"): Promise<StatementResponse> {
    return this.statements.add(envelope.bytes, role);
  }

  /** Adds what comes before an approval: how the file was trained, its signature, and the model statement. */
  async addModel(model: TestModel, dependencies: readonly TrainingDependency[] = []): Promise<Envelope> {
    const { manifest, file } = model;
    const training = trainingStatement([{ name: file.name, digest: file.digest }], {
      buildType: trainingBuildType,
      parameters: {},
      dependencies,
      builder: "urn:example:builder",
    });
    await this.add(await by("trainer", training));
    const signature = await by(
      "publisher",
      modelSignatureStatement({
        name: repository,
        resources: [{ path: file.name, digest: file.digest }],
        method: "files",
        allowSymlinks: false,
        ignorePaths: [],
      }),
    );
    await this.add(signature);
    const statement = modelStatement({ manifest, repository, files: [file], signature: signature.digest });
    const envelope = await by("publisher", statement);
    await this.add(envelope);
    return envelope;
  }

  /** The log's newest checkpoint, as a seal leaves it. */
  async seal(): Promise<{ readonly size: number; readonly note: string }> {
    const { checkpoint, note } = await this.logs.log.seal();
    return { size: checkpoint.size, note };
  }

  #mortal(db: Database): Database {
    return {
      query: (sql, params) => db.query(sql, params),
      run: (sql, params) => db.run(sql, params),
      transaction: (step) => {
        if (!this.killBeforeRows) return db.transaction(step);
        this.killBeforeRows = false;
        return Promise.reject(new Error("killed"));
      },
      close: () => db.close(),
    };
  }
}
