import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

const seconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

/** What is read when metrics are asked for. */
export interface Readings {
  readonly signing: boolean;
  readonly logs: readonly { readonly log: "log" | "fleet"; readonly size: number; readonly cosigned: number }[];
  /** Seconds since the newest cosigned checkpoint of the log was made; null before the first. */
  readonly cosignedAge: number | null;
  readonly witnesses: readonly { readonly name: string; readonly agrees: boolean; readonly setAside?: true }[];
  readonly contradictions: number;
  readonly devices: readonly { readonly state: string; readonly n: number }[];
  readonly requestsInFlight: number;
}

/**
 * Figures of one plane in the text format of Prometheus. Labels have few values that the plane itself sets: no device, token or
 * path of anyone's choosing is one.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = this.#counter("tally_http_requests_total", "Requests answered", ["method", "route", "status"]);
  readonly #turnedAway = this.#counter("tally_http_turned_away_total", "Requests refused for their number", ["reason"]);
  readonly #duration = this.#histogram("tally_http_request_duration_seconds", "From request line to answer", ["route"]);
  readonly #rounds = this.#histogram("tally_seal_duration_seconds", "Rounds of sealing and cosigning", ["result"]);
  readonly #entries = this.#counter("tally_mirrored_entries_total", "Entries of devices taken since the start", []);
  readonly #collected = this.#counter("tally_blobs_collected_total", "Blobs of devices that nothing named", []);
  readonly #registryCollected = this.#counter(
    "tally_registry_collected_bytes_total",
    "Bytes of the registry that nothing needed, removed by the daily collection",
    [],
  );
  readonly #signing = this.#gauge("tally_signing", "1 while the plane signs, 0 while it refuses or waits", []);
  readonly #size = this.#gauge("tally_log_entries", "Entries of the plane's logs", ["log"]);
  readonly #cosigned = this.#gauge("tally_log_cosigned_entries", "Entries under the newest cosigned checkpoint", [
    "log",
  ]);
  readonly #age = this.#gauge("tally_cosigned_age_seconds", "Age of the log's newest cosigned checkpoint", []);
  readonly #agrees = this.#gauge("tally_witness_agrees", "1 where a witness cosigned when it was last asked", [
    "witness",
  ]);
  readonly #setAside = this.#gauge("tally_witness_set_aside", "1 where a witness contradicts the plane", ["witness"]);
  readonly #contradictions = this.#gauge(
    "tally_witness_contradictions",
    "Contradictions of witnesses that are kept",
    [],
  );
  readonly #devices = this.#gauge("tally_devices", "Devices by their state", ["state"]);
  readonly #inFlight = this.#gauge("tally_http_requests_in_flight", "Requests not yet answered", []);

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  request(method: string, route: string, status: number, ms: number): void {
    this.#requests.inc({ method, route, status: String(status) });
    this.#duration.observe({ route }, ms / 1000);
  }

  turnedAway(reason: "rate" | "busy"): void {
    this.#turnedAway.inc({ reason });
  }

  round(ms: number, good: boolean): void {
    this.#rounds.observe({ result: good ? "sealed" : "failed" }, ms / 1000);
  }

  entries(n: number): void {
    this.#entries.inc(n);
  }

  blobsCollected(n: number): void {
    this.#collected.inc(n);
  }

  registryCollected(bytes: number): void {
    this.#registryCollected.inc(bytes);
  }

  /** The text, with these readings. */
  text(readings: Readings): Promise<string> {
    this.#signing.set(readings.signing ? 1 : 0);
    for (const { log, size, cosigned } of readings.logs) {
      this.#size.set({ log }, size);
      this.#cosigned.set({ log }, cosigned);
    }
    if (readings.cosignedAge !== null) this.#age.set(readings.cosignedAge);
    for (const { name, agrees, setAside } of readings.witnesses) {
      this.#agrees.set({ witness: name }, agrees ? 1 : 0);
      this.#setAside.set({ witness: name }, setAside === true ? 1 : 0);
    }
    this.#contradictions.set(readings.contradictions);
    this.#devices.reset();
    for (const { state, n } of readings.devices) this.#devices.set({ state }, n);
    this.#inFlight.set(readings.requestsInFlight);
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  #histogram<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
    return new Histogram({ name, help, labelNames: [...labelNames], buckets: seconds, registers: [this.#registry] });
  }
}
