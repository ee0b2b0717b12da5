import type { Registry } from "@tally/oci";
import type { Logger } from "../operation/logger.ts";
import type { Metrics } from "../operation/metrics.ts";

const everyMs = 86_400_000;

export interface CollectionsOptions {
  readonly registry: Pick<Registry, "collect">;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Collects the registry once a day: blobs that no manifest names, and bytes that nobody holds. Manifests go only when a person asks for it. */
export class Collections {
  readonly #options: CollectionsOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: CollectionsOptions) {
    this.#options = options;
  }

  start(): void {
    const run = () => {
      this.#running = this.collect().catch((err) =>
        this.#options.logger.error({ err }, "collecting the registry failed"),
      );
    };
    this.#timer = setInterval(run, everyMs).unref();
  }

  /** Ends between two removals. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async collect(): Promise<void> {
    const { registry, metrics, logger } = this.#options;
    let bytes = 0;
    for await (const { what, action, size } of registry.collect({ explain: false })) {
      if (what === "bytes" && action === "remove") {
        bytes += size;
        metrics.registryCollected(size);
      }
      if (this.#stopped) break;
    }
    if (bytes > 0) logger.info({ bytes }, "the registry was collected");
  }
}
