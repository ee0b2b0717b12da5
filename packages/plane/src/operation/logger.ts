import { type DestinationStream, type Logger as Pino, pino, stdTimeFunctions } from "pino";

/** Structured logs of the plane's own doings: fields first, then what happened. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says nothing: for tests, and for who asked for no logs. */
export const silent: Logger = { info() {}, warn() {}, error() {} };

export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: string;
  /** `json`, the default: one object a line. `text`: the same for people. */
  readonly format?: "json" | "text";
  /** Takes whole lines; default stdout. */
  readonly to?: { write(line: string): unknown };
}

/** Requests stand in it by method, path and id, without query, headers and bodies. */
export function createLogger({ level = "info", format = "json", to = process.stdout }: LoggerOptions = {}): Pino {
  const target = format === "text" ? { write: (line: string) => to.write(asText(line)) } : to;
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
      redact: ["req.headers.authorization", "req.headers.cookie"],
      serializers: {
        req: ({ method, url }: { method: string; url: string }) => ({ method, url: url.split("?")[0]!.slice(0, 500) }),
      },
    },
    target as DestinationStream,
  );
}

/** `2026-01-02T03:04:05.678Z warn a witness does not cosign witness="w.example" said="…"` */
function asText(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  return `${String(time)} ${String(level)} ${String(msg)}${rest.join("")}\n`;
}

/** Whether it is one that the HTTP server can log each request with. */
export function isFullLogger(logger: Logger): logger is Pino {
  return "child" in logger;
}
