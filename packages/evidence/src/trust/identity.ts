import { given, type JsonField } from "../content/json-field.ts";
import { type PublicIdentity, publicIdentityFromPem } from "../statements/public-identity.ts";
import { isRepositoryPattern } from "./repository-pattern.ts";

/** What a statement's signer may be trusted to say. */
export const trustedActions = [
  "ingest",
  "train",
  "sign-model",
  "evaluate",
  "approve",
  "release",
  "select",
  "manage-fleet",
] as const;
export type TrustedAction = (typeof trustedActions)[number];

/** A key that the trust file ties to someone, with what it may sign, where, and when. */
export interface TrustedIdentity extends PublicIdentity {
  /** Who it is. Two keys of one name are one person's. */
  readonly name: string;
  readonly may: readonly TrustedAction[];
  /** Patterns, `*` standing for any run of characters. */
  readonly repositories: readonly string[];
  /** Milliseconds since 1970, inclusive. */
  readonly from?: number;
  /** Milliseconds since 1970, exclusive. */
  readonly until?: number;
}

export function readIdentity(field: JsonField): TrustedIdentity {
  field.only("name", "key", "may", "repositories", "from", "until");
  const from = field.at("from").optional((f) => f.uint());
  const until = field.at("until").optional((f) => f.uint());
  if (from !== undefined && until !== undefined && until <= from) throw field.at("until").wrong("a time after `from`");
  return Object.freeze({
    name: field.at("name").text(255),
    ...field.at("key").parse(publicIdentityFromPem),
    may: field.at("may").list((action) => action.oneOf(...trustedActions)),
    repositories: field.at("repositories").list(readPattern),
    ...given("from", from),
    ...given("until", until),
  });
}

function readPattern(field: JsonField): string {
  const pattern = field.text(255);
  if (!isRepositoryPattern(pattern)) throw field.wrong("a repository name in which * may stand for anything");
  return pattern;
}
