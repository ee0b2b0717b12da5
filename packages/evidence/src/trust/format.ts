import { given } from "../content/json-field.ts";
import { formatVkey } from "../note/index.ts";
import { publicKeyPem } from "../statements/public-identity.ts";
import type { KeylessIdentity } from "./keyless-identity.ts";
import { type Trust, trustFormat } from "./trust.ts";
import type { TrustedIdentity } from "./trusted-identity.ts";

/** Writes a trust file that `parseTrust` reads back to the same value: indented JSON, ending with a newline. */
export function formatTrust(trust: Trust): string {
  const file = {
    format: trustFormat,
    plane: {
      name: trust.plane.name,
      log: trust.plane.log.map(formatVkey),
      fleet: trust.plane.fleet.map(formatVkey),
    },
    policy: trust.policyText,
    requiredAlgorithms: trust.requiredAlgorithms,
    ...given("requiredDeviceAlgorithms", trust.requiredDeviceAlgorithms),
    identities: [...trust.identities.map(formatIdentity), ...trust.keyless.map(formatKeyless)],
    ...(Object.keys(trust.trustRoots).length > 0 && { trustRoots: trust.trustRoots }),
    ...given("classicalUntil", trust.classicalUntil),
    ...given("minimumPlaneSize", trust.minimumPlaneSize),
    ...given("maximumAgeSeconds", trust.maximumAgeSeconds),
    skewSeconds: trust.skewSeconds,
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

function formatIdentity(identity: TrustedIdentity): object {
  const { name, spki, may, repositories, from, until } = identity;
  return { name, key: publicKeyPem(spki), may, repositories, ...given("from", from), ...given("until", until) };
}

function formatKeyless({ name, keyless, may, repositories, from, until }: KeylessIdentity): object {
  return { name, keyless, may, repositories, ...given("from", from), ...given("until", until) };
}
