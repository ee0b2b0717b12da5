import { type FileHandle, open } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import type { Attributes, HrTime, Tracer } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";

/** What a span says of an output besides its content, under the names of OpenTelemetry's conventions for generative AI. */
const plain: Attributes = {
  "gen_ai.operation.name": "text_completion",
  "gen_ai.provider.name": "bench",
  "gen_ai.request.model": "bench 1",
  "gen_ai.usage.input_tokens": 256,
  "gen_ai.usage.output_tokens": 256,
};

/**
 * A span for each output, batch-exported to a file as JSON lines: what many keep of their models today. No hash, no
 * signature, no fsync; spans in memory are lost with the process.
 */
export class SpansToFile {
  readonly #provider: BasicTracerProvider;
  readonly #tracer: Tracer;
  readonly #file: FileHandle;
  readonly #exporter: LineExporter;
  #made = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
    this.#exporter = new LineExporter(file);
    // The default batch of 512; room for a whole round, since a full queue drops spans without a word.
    const batches = new BatchSpanProcessor(this.#exporter, { maxQueueSize: 2 ** 20 });
    this.#provider = new BasicTracerProvider({ spanProcessors: [batches] });
    this.#tracer = this.#provider.getTracer("bench");
  }

  static async open(path: string): Promise<SpansToFile> {
    return new SpansToFile(await open(path, "a"));
  }

  /** @param content input and output, as text, which is what attributes hold */
  record(content?: { readonly input: string; readonly output: string }): void {
    const attributes =
      content === undefined
        ? plain
        : { ...plain, "gen_ai.input.messages": content.input, "gen_ai.output.messages": content.output };
    this.#tracer.startSpan("text_completion bench 1", { attributes }).end();
    this.#made += 1;
  }

  /** Resolves when every span is in the file: a batch that was under way already is not waited for by `forceFlush`. */
  async flush(): Promise<void> {
    await this.#provider.forceFlush();
    const giveUpAt = performance.now() + 30_000;
    while (this.#exporter.written < this.#made) {
      if (performance.now() > giveUpAt) throw new Error(`${this.#made - this.#exporter.written} spans were dropped`);
      await setTimeout(1);
    }
  }

  async close(): Promise<void> {
    await this.#provider.shutdown();
    await this.#file.close();
  }
}

class LineExporter implements SpanExporter {
  readonly #file: FileHandle;
  written = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter["export"]>[1]): void {
    const lines = spans.map((span) => `${JSON.stringify(lineOf(span))}\n`).join("");
    this.#file.appendFile(lines).then(
      () => {
        this.written += spans.length;
        done({ code: 0 });
      },
      (error: Error) => done({ code: 1, error }),
    );
  }

  async shutdown(): Promise<void> {}
}

function lineOf(span: ReadableSpan): object {
  const { traceId, spanId } = span.spanContext();
  return {
    traceId,
    spanId,
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: nanos(span.startTime),
    endTimeUnixNano: nanos(span.endTime),
    attributes: span.attributes,
    status: span.status,
  };
}

function nanos([seconds, rest]: HrTime): string {
  return `${seconds}${String(rest).padStart(9, "0")}`;
}
