import { type DestinationStream, type Logger as Pino, pino } from "pino";

/** Structured logs of the plane's own doings: fields first, then what happened. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says nothing: for tests, and for who asked for no logs. */
export const silent: Logger = { info() {}, warn() {}, error() {} };

/** One JSON object a line, on stdout unless told otherwise. Requests stand in it without query, headers and bodies. */
export function createLogger({
  level = "info",
  to,
}: {
  readonly level?: string;
  readonly to?: DestinationStream;
}): Pino {
  const options = {
    level,
    base: null,
    redact: ["req.headers.authorization", "req.headers.cookie"],
    serializers: {
      req: ({ method, url }: { method: string; url: string }) => ({ method, url: url.split("?")[0]! }),
    },
  };
  return to === undefined ? pino(options) : pino(options, to);
}

/** Whether it is one that the HTTP server can log each request with. */
export function isFullLogger(logger: Logger): logger is Pino {
  return "child" in logger;
}
