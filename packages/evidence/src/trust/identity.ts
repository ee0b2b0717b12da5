import { given, type JsonField } from "../content/json-field.ts";
import { type PublicIdentity, publicIdentityFromPem } from "../statements/public-identity.ts";
import { type KeylessIdentity, keylessIdOf, readKeylessName } from "./keyless-identity.ts";
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
  "export",
  "manage-fleet",
  "quarantine",
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

/** One of a trust file's identities: by a key, or keyless under one of its sigstore roots. */
export function readIdentity(
  field: JsonField,
  trustRoots: ReadonlySet<string> = new Set(),
): TrustedIdentity | KeylessIdentity {
  field.only("name", "key", "keyless", "may", "repositories", "from", "until");
  const from = field.at("from").optional((f) => f.uint());
  const until = field.at("until").optional((f) => f.uint());
  if (from !== undefined && until !== undefined && until <= from) throw field.at("until").wrong("a time after `from`");
  const rules = {
    may: field.at("may").list((action) => action.oneOf(...trustedActions)),
    repositories: field.at("repositories").list(readPattern),
    ...given("from", from),
    ...given("until", until),
  };
  const name = field.at("name").text(255);
  const keyless = field.at("keyless").optional((f) => readKeylessName(f, trustRoots));
  if (keyless === undefined) return Object.freeze({ name, ...field.at("key").parse(publicIdentityFromPem), ...rules });
  if (field.at("key").value !== undefined) throw field.fail("an identity has either a key or keyless, not both");
  return Object.freeze({ name, keyId: keylessIdOf(keyless), keyless, ...rules });
}

function readPattern(field: JsonField): string {
  const pattern = field.text(255);
  if (!isRepositoryPattern(pattern)) throw field.wrong("a repository name in which * may stand for anything");
  return pattern;
}
