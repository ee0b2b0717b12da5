import {
  type Anchor,
  type Event,
  EvidenceError,
  encodeEntry,
  encodeRecord,
  eventCodes,
  type Gap,
  type Inference,
  type Label,
  type LeafHash,
  type Load,
  loadCounts,
  maxLoadsOfRun,
  type PlainRecord,
  type RunState,
  RunWriter,
  type SaltedCommitment,
  type Segment,
  summaryInterval,
  type UnderstoodEntry,
} from "@tally/evidence";
import { type Appended, type Clock, type Ledger, LedgerError } from "@tally/ledger";
import { asSalted } from "../content.ts";
import { EdgeError } from "../error.ts";
import { runtimeName, tallyVersion } from "../version.ts";
import { ClockWatch } from "./clock-watch.ts";
import { storageError } from "./storage-error.ts";

type Written<E> = E extends UnderstoodEntry ? Omit<E, "time"> : never;

/** What a load entry says, without when. */
export type LoadFields = Omit<Load, "kind" | "time">;

/** What a record says of itself; its load, ordinal and time are given by the recorder. */
export interface RecordFields extends Omit<PlainRecord, "time" | "loadIndex" | "ordinal"> {
  /** What few records have; a capture level here stands for the other. */
  readonly more: (Pick<Inference, OptionalParts> & { readonly captureLevel?: SaltedCommitment }) | undefined;
}

type OptionalParts = "parameters" | "usage" | "parents" | "parentsBlob" | "retrievals" | "retrievalsBlob";

/** A model in use. In each run it has a load entry of its own, written when the run first needs it. */
export interface LiveLoad {
  readonly fields: LoadFields;
  /** Index of its load entry in the run that began at `run`. */
  index: number;
  run: number;
  /** How often the recorder had resumed: after that an index may be another entry's. */
  resumed: number;
  unloaded: boolean;
}

/** A record's place in its ledger and under its load. */
export interface RecordPlace extends Appended {
  readonly loadIndex: number;
  readonly ordinal: number;
}

/**
 * The one writer of a device's ledger. It assigns index and ordinal in one synchronous step, keeps the run's counts, and
 * puts summaries and new runs where evidence.md 5 wants them. What is refused consumes neither index nor ordinal.
 *
 * Every method throws EdgeError: `entry-too-large`, `content-invalid`, `busy` when too much waits for the disk (see `whenRoom`), `record-failed` when the disk failed.
 */
export class Recorder {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #watch: ClockWatch;
  #run: RunWriter;
  #resumed = 0;
  #telling = false;

  /** Goes on after `state`, the replayed last run, whose last entry said `lastTime`. The caller writes `restart` first. */
  constructor(ledger: Ledger, state: RunState, clock: Clock, lastTime?: number) {
    this.#watch = new ClockWatch(clock, lastTime);
    this.#ledger = ledger;
    this.#run = new RunWriter(state);
    this.#clock = clock;
  }

  /** The run as written so far; to be read at once. */
  get run(): RunState {
    return this.#run.state;
  }

  /** Goes on after a failed write: `state` is the last run as the ledger now has it, and a new one begins. */
  resume(state: RunState): Appended {
    this.#run = new RunWriter(state);
    this.#resumed += 1;
    return this.restart(false);
  }

  /** Begins a run: states what the last one held and ends its loads. */
  restart(clean: boolean): Appended {
    return this.#write({
      kind: "restart",
      tallyVersion,
      runtime: runtimeName,
      clean,
      previousRun: this.run.runStart,
      closing: loadCounts(this.run),
    });
  }

  /** Records that a model was accepted. */
  load(fields: LoadFields): LiveLoad & { readonly appended: Appended } {
    this.#makeRoomForLoad();
    const appended = this.#insert({ kind: "load", ...fields });
    return { fields, index: appended.index, run: this.run.runStart, resumed: this.#resumed, unloaded: false, appended };
  }

  /** Records that a model was refused. */
  refuse(fields: LoadFields): Appended {
    return this.#insert({ kind: "load", ...fields });
  }

  unload(load: LiveLoad, reason: number): Appended | undefined {
    if (load.unloaded) return undefined;
    const isOver = !this.#isCurrent(load);
    const appended = isOver ? undefined : this.#insert({ kind: "unload", loadIndex: load.index, reason });
    load.unloaded = true;
    return appended;
  }

  /** Records an output. Index and ordinal are given together, now. */
  inference(load: LiveLoad, { input, output, durationMicros, captureLevel, more }: RecordFields): RecordPlace {
    if (load.unloaded) throw new EdgeError("model-released", "the model was released", { hint: "load it again" });
    this.#renew(load);
    this.#makeRoom();
    const ordinal = this.run.loads.get(load.index)?.count ?? 0;
    const time = this.#clock.now();
    const loadIndex = load.index;
    const record: PlainRecord = { time, loadIndex, ordinal, input, output, durationMicros, captureLevel };
    const appended = this.#appendRecord(record, more);
    return new PlacedRecord(appended, load.index, ordinal);
  }

  /** Records anything that is neither load nor output. */
  note(entry: Written<Anchor | Event | Gap | Label | Segment>): Appended {
    return this.#insert(entry);
  }

  /** States the run's counts, so that all before can be bounded by it. */
  summary(): Appended {
    const { runStart } = this.run;
    return this.#write({ kind: "summary", runStart, loads: loadCounts(this.run) });
  }

  #insert(entry: Written<UnderstoodEntry>): Appended {
    this.#makeRoom();
    return this.#write(entry);
  }

  #makeRoom(): void {
    if (this.run.next - this.run.statedAt >= summaryInterval) this.summary();
  }

  #makeRoomForLoad(): void {
    if (this.run.loads.size >= maxLoadsOfRun) this.restart(true);
  }

  /** Writes the load again if a new run ended it. Its bytes are the ones that were measured: they never left memory. */
  #renew(load: LiveLoad): void {
    if (this.#isCurrent(load)) return;
    const { index, run, resumed } = this.load(load.fields);
    load.index = index;
    load.run = run;
    load.resumed = resumed;
  }

  #isCurrent({ run, resumed }: LiveLoad): boolean {
    return run === this.run.runStart && resumed === this.#resumed;
  }

  #write(fields: Written<UnderstoodEntry>): Appended {
    return this.#append({ ...fields, time: this.#clock.now() } as UnderstoodEntry);
  }

  #append(entry: UnderstoodEntry): Appended {
    try {
      const bytes = encodeEntry(entry);
      this.#run.prepare(entry);
      return this.#store(bytes, entry.time);
    } catch (cause) {
      throw asEdgeError(cause, entry.kind);
    }
  }

  /** The short way of a record that holds nothing optional; all others, and what is not valid, go the way of all entries. */
  #appendRecord(record: PlainRecord, more: RecordFields["more"]): Appended {
    const bytes = more === undefined ? encodeRecord(record) : undefined;
    if (bytes === undefined) {
      const [input, output] = [asSalted(record.input), asSalted(record.output)];
      return this.#append({ kind: "inference", ...record, input, output, ...more });
    }
    try {
      this.#run.prepareRecord(record.loadIndex, record.ordinal);
      return this.#store(bytes, record.time);
    } catch (cause) {
      throw asEdgeError(cause, "inference");
    }
  }

  /** Gives the entry that was prepared to the ledger, and counts it. */
  #store(bytes: Uint8Array, time: number): Appended {
    const appended = this.#ledger.append(bytes);
    if (appended.index !== this.run.next) throw new Error(`index ${appended.index} is not ${this.run.next}`);
    this.#run.advance();
    if (this.#watch.look(time) !== undefined) this.#tellStep();
    return appended;
  }

  /** Says in an event that the clock was set; what cannot be written now is said with the next entry. */
  #tellStep(): void {
    const step = this.#watch.pending;
    if (step === undefined || this.#telling) return;
    this.#telling = true;
    try {
      const fields = new Map([
        [0, step.stepMs],
        [1, step.whileOff ? 1 : 0],
      ]);
      this.#insert({ kind: "event", code: eventCodes["clock-step"], fields });
      this.#watch.told();
    } catch {
      // The entry before it stands, and its caller is not to hear of this.
    } finally {
      this.#telling = false;
    }
  }
}

/** Reads its place from what the ledger gave: a record is waited for, and most are never asked for their leaf hash. */
class PlacedRecord implements RecordPlace {
  readonly loadIndex: number;
  readonly ordinal: number;
  readonly #appended: Appended;

  constructor(appended: Appended, loadIndex: number, ordinal: number) {
    this.loadIndex = loadIndex;
    this.ordinal = ordinal;
    this.#appended = appended;
  }

  get index(): number {
    return this.#appended.index;
  }

  get leaf(): LeafHash {
    return this.#appended.leaf;
  }

  get committed(): Promise<void> {
    return this.#appended.committed;
  }
}

function asEdgeError(cause: unknown, kind: string): EdgeError {
  if (cause instanceof EdgeError) return cause;
  if (cause instanceof LedgerError && cause.code === "queue-full") {
    return new EdgeError("busy", cause.message, { cause, hint: "wait for earlier records to be committed" });
  }
  const tooLarge = (cause instanceof EvidenceError || cause instanceof LedgerError) && cause.code === "entry-too-large";
  if (tooLarge) {
    return new EdgeError("entry-too-large", `the ${kind} entry does not fit: ${cause.message}`, {
      cause,
      hint: "nothing was recorded; record fewer parents, parameters or files",
    });
  }
  if (cause instanceof EvidenceError && cause.code === "entry-invalid") {
    return new EdgeError("content-invalid", `nothing was recorded: ${cause.message}`, { cause });
  }
  return storageError(cause, `the ${kind} entry was not written`);
}
