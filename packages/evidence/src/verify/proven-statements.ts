import { type BundleMember, memberTypes } from "../bundle/index.ts";
import { type Digest, digestFromHash } from "../digest.ts";
import type { Revoke, StatementLeaf } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { type Envelope, parseEnvelope, type Statement, subjectDigests, verifyEnvelope } from "../statements/index.ts";
import {
  type KnownIdentity,
  signedWhen,
  type TrustedAction,
  type TrustedIdentity,
  whyNotAllowed,
  whyNotSince,
  whyNotThen,
} from "../trust/index.ts";
import { Missing } from "./check.ts";
import type { Context } from "./context.ts";
import { showMoment } from "./moments.ts";
import type { PlaneEntry } from "./plane-log.ts";
import { withRotatedKeys } from "./rotated-keys.ts";

/** A statement whose envelope, signatures included, the plane's log has committed to. Its signers are checked by use. */
export interface ProvenStatement {
  readonly envelope: Envelope;
  readonly subjects: readonly Digest[];
  /** Index in the plane's log. */
  readonly index: number;
  /** Milliseconds; null without witnesses and plane time, and where the bundle holds no older checkpoint. */
  readonly notBefore: number | null;
  /** Milliseconds; null without witnesses and plane time. */
  readonly notAfter: number | null;
  readonly member: BundleMember;
  readonly entry: PlaneEntry;
}

/** What someone has said in a statement of a certain type. */
export interface Said<T> {
  readonly from: ProvenStatement;
  readonly said: T;
}

export interface SignedBy {
  readonly action: TrustedAction;
  readonly repository: string;
}

const name = { statement: "statement", readable: "statement readable", signer: "signer" };

/** The statements of a bundle, each read and verified once, found by digest or by what they are about. */
export class Statements {
  readonly #context: Context;
  readonly #byDigest = new Map<Digest, ProvenStatement>();
  readonly #bySubject = new Map<Digest, ProvenStatement[]>();
  readonly #signers = new Map<ProvenStatement, readonly TrustedIdentity[]>();
  readonly #unreadable = new Set<ProvenStatement>();
  readonly #identities: readonly KnownIdentity[];
  readonly #told = new Set<string>();

  /** Opens the envelopes and finds each in the plane's log. */
  constructor(context: Context) {
    this.#context = context;
    const leaves = leavesOf(context);
    for (const member of context.materials.list(memberTypes.envelope)) {
      const digest = digestFromHash(member.digest);
      const found = context.checklist.attempt(
        name.statement,
        digest,
        () => openStatement(member, leaves.get(digest)),
        ({ envelope, index }) => `${envelope.statement.predicateType}, entry ${index} of the plane's log`,
      );
      if (found !== undefined) this.#add(found);
    }
    this.#identities = withRotatedKeys(
      context,
      (digest) => this.find(digest),
      (identity, statement, revocations) => this.#outOfTime(identity, statement, revocations),
    );
  }

  #add(found: ProvenStatement): void {
    this.#byDigest.set(found.envelope.digest, found);
    for (const subject of new Set(found.subjects)) {
      const same = this.#bySubject.get(subject);
      if (same === undefined) this.#bySubject.set(subject, [found]);
      else same.push(found);
    }
  }

  /** The statement with that envelope, marked as used. */
  find(envelope: Digest): ProvenStatement | undefined {
    const found = this.#byDigest.get(envelope);
    if (found !== undefined) this.#use(found);
    return found;
  }

  /** What is said about any of these, in the log's order and marked as used. */
  about(subjects: Digest | readonly Digest[]): readonly ProvenStatement[] {
    const all = new Set<ProvenStatement>();
    for (const subject of typeof subjects === "string" ? [subjects] : subjects) {
      for (const statement of this.#bySubject.get(subject) ?? []) all.add(statement);
    }
    for (const statement of all) this.#use(statement);
    return [...all].sort((a, b) => a.index - b.index);
  }

  /** All of one type, in the log's order and without marking them. */
  ofType(type: string): readonly ProvenStatement[] {
    return [...this.#byDigest.values()]
      .filter(({ envelope }) => envelope.statement.predicateType === type)
      .sort((a, b) => a.index - b.index);
  }

  /** Those of one type among them, read. */
  said<T>(
    statements: readonly ProvenStatement[],
    type: string,
    parse: (statement: Statement) => T,
  ): readonly Said<T>[] {
    return statements.flatMap((from) => {
      const said = from.envelope.statement.predicateType === type ? this.read(from, parse) : undefined;
      return said === undefined ? [] : [{ from, said }];
    });
  }

  /**
   * Reads one. What cannot be read counts for nothing; signed by someone of the trust file it might be what decides, and
   * is bad.
   */
  read<T>(from: ProvenStatement, parse: (statement: Statement) => T): T | undefined {
    try {
      return parse(from.envelope.statement);
    } catch (error) {
      if (!this.#unreadable.has(from) && this.knownSigners(from).length > 0) {
        const why = error instanceof Error ? error.message : String(error);
        this.#context.checklist.bad(name.readable, from.envelope.digest, `a known signer's statement: ${why}`);
      }
      this.#unreadable.add(from);
      return undefined;
    }
  }

  /** Who of the trust file has signed it, whatever they may do. */
  knownSigners(statement: ProvenStatement): readonly TrustedIdentity[] {
    let known = this.#signers.get(statement);
    if (known === undefined) {
      known = [...verifyEnvelope(statement.envelope, this.#identities), ...this.#keylessSigners(statement)];
      this.#signers.set(statement, known);
    }
    return known;
  }

  #keylessSigners({ envelope }: ProvenStatement): readonly TrustedIdentity[] {
    const { keyless, trust, checklist } = this.#context;
    const isKeyless = envelope.signatures.some(({ verificationMaterial }) => verificationMaterial !== undefined);
    if (!isKeyless || trust.keyless.length === 0) return [];
    if (keyless === undefined) {
      checklist.skipped(name.signer, envelope.digest, "it is signed keyless, which is not verified here");
      return [];
    }
    const { signers, why } = keyless(envelope, trust);
    if (signers.length === 0) checklist.skipped(name.signer, envelope.digest, `the signature does not count: ${why}`);
    return signers;
  }

  /**
   * Who of those that the trust file lets act so has signed. A revoked key counts only where the statement is proven older than
   * the compromise, a limited one within its period. For a known signer who does not count it is said why.
   */
  signers(statement: ProvenStatement, { action, repository }: SignedBy): readonly TrustedIdentity[] {
    const { revokedKeys } = this.#context.fleet;
    const refused: string[] = [];
    const counting = this.knownSigners(statement).filter((identity) => {
      const revoked = revokedKeys.get(identity.keyId);
      const why =
        whyNotAllowed(identity, { action, repository }) ??
        this.#outOfTime(identity, statement, revoked === undefined ? [] : [revoked]);
      if (why !== undefined) refused.push(`${identity.name} ${why}`);
      return why === undefined;
    });
    // Whoever may under one of two rules, or of two keys, is not told off for the other.
    for (const why of counting.length > 0 ? [] : refused) this.#tell(statement.envelope.digest, why);
    return counting;
  }

  #tell(statement: Digest, why: string): void {
    if (this.#told.has(`${statement} ${why}`)) return;
    this.#told.add(`${statement} ${why}`);
    this.#context.checklist.skipped(name.signer, statement, `the signature does not count: ${why}`);
  }

  /** Why a signature comes at a time when the key does not count; undefined where it does count. */
  #outOfTime(identity: KnownIdentity, statement: ProvenStatement, revocations: readonly Revoke[]): string | undefined {
    const { trust } = this.#context;
    const { notBefore, index } = statement;
    const logged = { notBeforeMs: notBefore, ...(statement.notAfter !== null && { atMs: statement.notAfter }) };
    const time = signedWhen(identity, logged);
    const notAfter = time.atMs ?? null;
    const period = whyNotThen(identity, time);
    if (period !== undefined) return period;
    const early = whyNotSince(identity, index);
    if (early !== undefined) return early;
    if (!countsInTheLongRun(identity, statement, trust)) {
      return "signed with a classical key, and no ML-DSA signatures prove it to be old enough";
    }
    for (const { compromiseTime } of revocations) {
      if (compromiseTime === null) return "signed with a key that is revoked for all that it ever signed";
      if (notAfter === null || notAfter >= compromiseTime) {
        const proven = notAfter === null ? "no time is proven" : `it is proven by ${showMoment(notAfter)} only`;
        return `signed with a key that is revoked as of ${showMoment(compromiseTime)}; ${proven}`;
      }
    }
    return undefined;
  }

  #use(statement: ProvenStatement): void {
    this.#context.materials.use(statement.member);
    this.#context.materials.use(statement.entry.member);
  }
}

/**
 * From the cutoff on, a classical signature may have been made by anyone (evidence.md 8): it counts where ML-DSA signatures alone
 * prove that the envelope, with it, is older.
 */
function countsInTheLongRun(
  { algorithm }: TrustedIdentity,
  { entry }: ProvenStatement,
  { classicalUntil }: Context["trust"],
): boolean {
  if (classicalUntil === undefined || algorithm === "ml-dsa-44") return true;
  return entry.postQuantumNotAfter !== null && entry.postQuantumNotAfter < classicalUntil;
}

/** Entries of the plane's log that commit to an envelope, the first for each. */
function leavesOf({ log }: Context): ReadonlyMap<Digest, PlaneEntry> {
  const leaves = new Map<Digest, PlaneEntry>();
  for (const entry of log.entries.values()) {
    if (entry.entry.kind === "statement" && !leaves.has(entry.entry.envelope)) leaves.set(entry.entry.envelope, entry);
  }
  return leaves;
}

function openStatement(member: BundleMember, entry: PlaneEntry | undefined): ProvenStatement {
  if (entry?.entry.kind !== "statement") {
    throw new Missing("the bundle does not prove it to be in the plane's log");
  }
  const envelope = parseEnvelope(member.bytes);
  const subjects = subjectDigests(envelope.statement);
  checkLeaf(entry.entry, envelope.statement.predicateType, subjects);
  const { index, notBefore, notAfter } = entry;
  return { envelope, subjects, index, notBefore, notAfter, member, entry };
}

/** The log says what each envelope is about; a plane that says otherwise hides the statement from whoever looks for it. */
function checkLeaf(leaf: StatementLeaf, predicateType: string, subjects: readonly Digest[]): void {
  if (leaf.predicateType !== predicateType) throw broken(`the log says that it is a ${leaf.predicateType}`);
  if (leaf.subjectsBlob !== undefined) return;
  const listed = new Set(leaf.subjects);
  if (listed.size !== new Set(subjects).size || subjects.some((subject) => !listed.has(subject))) {
    throw broken("the log says that it is about something else");
  }
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
