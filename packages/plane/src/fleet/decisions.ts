import {
  asLeafHash,
  type Digest,
  type FleetDecision,
  fleetDecisionType,
  hashFromDigest,
  keyRotationType,
  parseEnvelope,
  parseFleetDecision,
  type StatementResponse,
  sha256,
  toHex,
  type UnderstoodEntry,
} from "@tally/evidence";
import type { BlobStore, Database } from "@tally/oci";
import type { Bearer } from "../access/tokens.ts";
import { PlaneError } from "../error.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import { maxEnvelopeBytes } from "../statements/admission.ts";
import type { Statements } from "../statements/index.ts";
import { type PersonsRotation, type Rotations, readRotation } from "../statements/rotations.ts";
import { type DeviceRow, decodeKeySet } from "./device-row.ts";
import type { Fleet } from "./fleet.ts";
import { newestKeySet } from "./key-sets.ts";

export interface DecisionsOptions {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly logs: PlaneLogs;
  readonly fleet: Fleet;
  readonly statements: Statements;
  readonly rotations: Rotations;
}

/** What is decided: about a ledger or a key, or by a person about their own key. */
type Decided = FleetDecision | PersonsRotation;

type Fields<E> = E extends UnderstoodEntry ? Omit<E, "time"> : never;

/**
 * What named persons decide about ledgers and keys: a signed statement in the plane's log, and then an entry of the fleet log
 * that names its envelope. A stop in between costs nothing: `catchUp` carries out what was said and not done.
 */
export class Decisions {
  readonly #options: DecisionsOptions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: DecisionsOptions) {
    this.#options = options;
  }

  /** @throws PlaneError `bad-request`, `not-found`, `conflict`, `forbidden` */
  take(envelopeBytes: Uint8Array, { role, repository }: Bearer): Promise<StatementResponse> {
    return this.#next(async () => {
      const { statements } = this.#options;
      const decision = read(envelopeBytes);
      const { digest } = parseEnvelope(envelopeBytes);
      // The same envelope again gets the same answer: what it decided need not hold any more.
      if (!(await this.#isDecided(digest))) {
        if (decision.decision === "rotate") await this.#options.rotations.requireRotatable(decision);
        await this.#entryFor(decision, digest);
      }
      const response = await statements.add(envelopeBytes, role, repository);
      await this.#carryOut(decision, digest);
      return response;
    });
  }

  /** Carries out what the plane's log says and the fleet log does not. Called at start, once the fleet's tables are up to date. */
  async catchUp(): Promise<void> {
    const { statements } = this.#options;
    const types = [fleetDecisionType, keyRotationType];
    const all = (await Promise.all(types.map((type) => statements.list({ type })))).flat();
    for (const { digest } of all.sort((a, b) => a.index - b.index)) {
      await this.#next(async () => {
        if (await this.#isDecided(digest)) return;
        const bytes = await this.#options.blobs.bytes(digest, maxEnvelopeBytes);
        await this.#carryOut(read(bytes), digest).catch((error: unknown) => {
          // Overtaken by what came between: nothing is left to be done.
          if (!(error instanceof PlaneError)) throw error;
        });
      });
    }
  }

  async #carryOut(decision: Decided, statement: Digest): Promise<void> {
    const { db, logs, fleet } = this.#options;
    if (await this.#isDecided(statement)) return;
    if (decision.decision === "rotate") await this.#options.rotations.admitNewKey(decision);
    const entry = await this.#entryFor(decision, statement);
    if (entry !== undefined) {
      await logs.append("fleet", entry);
      await fleet.catchUp();
      return;
    }
    if (decision.decision !== "rotate") await fleet.reinstate(decision.origin!, decision.settles ?? []);
    await db.run("INSERT INTO decided (statement) VALUES (?) ON CONFLICT DO NOTHING", [statement]);
  }

  /** The fleet log's entry, checked against how things stand; undefined where only the plane's own standing changes. */
  async #entryFor(decision: Decided, statement: Digest): Promise<Fields<UnderstoodEntry> | undefined> {
    if (decision.decision === "rotate") {
      const { oldKeyId: keyId, retiresAt: compromiseTime } = decision;
      return { kind: "revoke", origin: null, keyId, compromiseTime, statement };
    }
    const { origin, keyId, compromiseTime = null } = decision;
    const { fleet, db } = this.#options;
    if (origin === null) return { kind: "revoke", origin, keyId: keyId!, compromiseTime, statement };
    if (decision.decision === "accept-epoch") return this.#epochFor(origin, decision, statement);
    const row = await fleet.row(origin);
    if (row === undefined) throw new PlaneError("not-found", `${origin} is not enrolled here`);
    requireSubject(decision, row.genesis);
    if (decision.decision === "revoke") {
      const newest = toHex(sha256(await newestKeySet(db, row)));
      if (keyId !== newest) {
        throw new PlaneError("conflict", `${origin} has another key set than the one that is revoked`, {
          hint: "its keys were rotated meanwhile: ask for its state and sign again",
        });
      }
      return { kind: "revoke", origin, keyId, compromiseTime, statement };
    }
    if (decision.decision === "decommission") {
      if (row.state === "decommissioned" || row.state === "revoked") {
        throw new PlaneError("conflict", `${origin} is ${row.state} already`);
      }
      return { kind: "decommission", origin, statement };
    }
    await fleet.requireReinstatable(row, decision.settles ?? []);
    return undefined;
  }

  async #epochFor(origin: string, decision: FleetDecision, statement: Digest): Promise<Fields<UnderstoodEntry>> {
    const asked = await this.#options.fleet.requests.find(origin);
    if (asked === undefined) {
      throw new PlaneError("not-found", `no device asks to go on as ${origin}`, {
        hint: "the device asks by itself with its next sync",
      });
    }
    requireSubject(decision, asked.genesis);
    return {
      kind: "epoch",
      deviceId: asked.device_id,
      epoch: asked.epoch,
      origin,
      genesisHash: asLeafHash(hashFromDigest(asked.genesis)),
      keySet: decodeKeySet(asked.key_set),
      statement,
    };
  }

  async #isDecided(statement: Digest): Promise<boolean> {
    const { db } = this.#options;
    return (await db.query("SELECT 1 FROM decided WHERE statement = ?", [statement])).length > 0;
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(step);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function read(bytes: Uint8Array): Decided {
  try {
    const envelope = parseEnvelope(bytes);
    if (envelope.statement.predicateType === keyRotationType) return readRotation(envelope);
    return parseFleetDecision(envelope.statement);
  } catch (cause) {
    throw new PlaneError("bad-request", `this is no decision about the fleet: ${(cause as Error).message}`, { cause });
  }
}

/** The signer saw this ledger, and no other one that has its name meanwhile. */
function requireSubject({ subject, origin }: FleetDecision, genesis: DeviceRow["genesis"]): void {
  if (subject === genesis) return;
  throw new PlaneError("conflict", `${origin} begins with ${genesis}, the statement is about ${subject}`, {
    hint: "ask for the device's state and sign again",
  });
}
