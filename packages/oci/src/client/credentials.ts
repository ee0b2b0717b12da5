import { OciError } from "../error.ts";

export interface CredentialOptions {
  /** A token of Tally, or the password or personal access token of another registry. */
  readonly token?: string;
  /** The user that Basic authentication names; registries of tokens take any. With one, nothing is sent before it is asked for. */
  readonly username?: string;
  /** Origins besides the registry's own that may be given the token in exchange for theirs (Docker's token protocol). */
  readonly realms?: readonly string[];
}

/** How a 401 is to be answered. */
export type Answer =
  | { readonly kind: "header"; readonly header: string }
  | { readonly kind: "exchange"; readonly url: URL; readonly header: string | undefined };

/**
 * What is sent as Authorization to one registry. The token goes as Bearer at first; a challenge may ask for Basic, or name a
 * place where a token for the repository is to be had (`Bearer realm="https://…",service="…",scope="…"`).
 */
export class Credentials {
  readonly #options: CredentialOptions;
  readonly #origin: string;
  #header: string | undefined;

  constructor(origin: string, options: CredentialOptions) {
    this.#origin = origin;
    this.#options = options;
    // A password is nobody's bearer token.
    if (options.token === undefined || options.username !== undefined) return;
    if (!/^[\x21-\x7e]+$/.test(options.token)) {
      throw new OciError("unauthorized", "a token is printable ASCII without spaces; this one is not");
    }
    this.#header = `Bearer ${options.token}`;
  }

  get header(): string | undefined {
    return this.#header;
  }

  use(header: string): void {
    this.#header = header;
  }

  /** The answer to a challenge, or undefined when everything that could be sent was sent already. */
  answer(challenge: string | null): Answer | undefined {
    const bearer = parameters(challenge, "Bearer");
    if (bearer?.realm !== undefined && /^https?:/.test(bearer.realm)) return this.#exchange(bearer.realm, bearer);
    const basic = this.#basic();
    if (basic === undefined || this.#header === basic || parameters(challenge, "Basic") === undefined) return undefined;
    return { kind: "header", header: basic };
  }

  #exchange(realm: string, { service, scope }: Record<string, string>): Answer {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set("service", service);
    for (const each of scope?.split(" ") ?? []) url.searchParams.append("scope", each);
    const trusted = url.origin === this.#origin || (this.#options.realms?.includes(url.origin) ?? false);
    return { kind: "exchange", url, header: trusted ? this.#basic() : undefined };
  }

  #basic(): string | undefined {
    const { token, username = "tally" } = this.#options;
    return token === undefined ? undefined : `Basic ${Buffer.from(`${username}:${token}`).toString("base64")}`;
  }
}

/** The parameters of one scheme in a WWW-Authenticate header (RFC 9110 section 11.6.1); undefined when it is not offered. */
function parameters(challenge: string | null, scheme: string): Record<string, string> | undefined {
  // Schemes are separated by commas as their parameters are: a scheme is a word followed by a space and no "=".
  const offers = (challenge ?? "").slice(0, 4096).split(/,\s*(?=[A-Za-z]+(?:\s|$))/);
  const offer = offers.find((text) => new RegExp(`^\\s*${scheme}(\\s|$)`, "i").test(text));
  if (offer === undefined) return undefined;
  const found: Record<string, string> = {};
  for (const [, name = "", quoted, plain] of offer.matchAll(/([A-Za-z_]+)=(?:"([^"]*)"|([^\s",]+))/g)) {
    found[name.toLowerCase()] = quoted ?? plain ?? "";
  }
  return found;
}
