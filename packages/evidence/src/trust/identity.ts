import { given, type JsonField } from "../content/json-field.ts";
import { publicIdentityFromPem } from "../statements/public-identity.ts";
import { type KeylessIdentity, keylessIdOf, readKeylessName } from "./keyless-identity.ts";
import { isRepositoryPattern } from "./repository-pattern.ts";
import { type TrustedIdentity, trustedActions } from "./trusted-identity.ts";

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
