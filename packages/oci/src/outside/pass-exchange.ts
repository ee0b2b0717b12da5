import type { IncomingMessage, ServerResponse } from "node:http";
import type { AnswerHeaders } from "../client/send.ts";
import type { RegistryOptions } from "../registry/options.ts";
import type { UploadPlaces } from "./upload-places.ts";
import type { Upstream, Upstreams } from "./upstream.ts";

/** One request to the plane's registry, and the repository behind it that is to answer. */
export interface Pass {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly query: URLSearchParams;
  /** As callers name it. */
  readonly repository: string;
  readonly upstream: Upstream;
  readonly upstreams: Upstreams;
  readonly places: UploadPlaces;
  readonly options: Pick<RegistryOptions, "authorize" | "callerOf" | "admits" | "onPush">;
}

/** Headers of an answer that are passed on, as far as they are there. */
export function kept(headers: AnswerHeaders, ...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
}
