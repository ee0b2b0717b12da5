import { parseRepository } from "../artifact/reference.ts";
import { OciError } from "../error.ts";

/** Where an outside registry is, and under which name all repositories lie there. */
export interface OutsideAddress {
  /** `https://host[:port]`. */
  readonly origin: string;
  /** `team/tally/`, or nothing: what stands before a repository's name there. */
  readonly prefix: string;
}

/**
 * Parses `https://registry.example:5000` or `https://registry.example/team/tally`. A URL with credentials is refused and not
 * repeated in the message, which may end up in a log. Throws `name-invalid`.
 */
export function parseOutsideAddress(text: string): OutsideAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.username !== "" || url.password !== "")) {
    throw new OciError("name-invalid", "the registry's URL holds credentials", {
      hint: "write it without them: they are read from a file or from the environment, where nobody else sees them",
    });
  }
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new OciError("name-invalid", `${JSON.stringify(text.slice(0, 200))} is not the URL of a registry`, {
      hint: "write https://host:port, or https://host/prefix where all repositories are to lie below a name",
    });
  }
  const prefix = url.pathname.replace(/^\/+|\/+$/g, "");
  return Object.freeze({ origin: url.origin, prefix: prefix === "" ? "" : `${parseRepository(prefix)}/` });
}
