import { parseJson } from "../content/i-json.ts";
import { JsonField } from "../content/json-field.ts";
import { type NoteKey, parsePolicy, parseVkey } from "../note/index.ts";
import { readIdentity } from "./identity.ts";
import { type KeylessIdentity, overlap } from "./keyless-identity.ts";
import { type CheckpointAlgorithm, checkpointAlgorithms, type Trust, type TrustedPlane, trustFormat } from "./trust.ts";
import { readTrustRoots } from "./trust-roots.ts";
import type { TrustedIdentity } from "./trusted-identity.ts";

/**
 * Reads a trust file (docs/trust.md). Unknown fields are refused: a rule that is misspelt must not be a rule that is
 * silently not applied.
 *
 * @throws EvidenceError `trust-invalid` naming the field
 */
export function parseTrust(source: Uint8Array | string): Trust {
  const root = new JsonField(parseJson(source, "trust-invalid"), "", "trust-invalid");
  root.at("format").oneOf(trustFormat);
  root.only(
    "format",
    "plane",
    "policy",
    "requiredAlgorithms",
    "requiredDeviceAlgorithms",
    "classicalUntil",
    "identities",
    "trustRoots",
    "minimumPlaneSize",
    "maximumAgeSeconds",
    "skewSeconds",
  );
  const plane = readPlane(root.at("plane"));
  const requiredAlgorithms = root.at("requiredAlgorithms").list((name) => name.oneOf(...checkpointAlgorithms));
  requireAlgorithms(root.at("plane").at("log"), plane.log, requiredAlgorithms);
  requireAlgorithms(root.at("plane").at("fleet"), plane.fleet, requiredAlgorithms);
  const trustRoots = root.at("trustRoots").optional(readTrustRoots) ?? Object.freeze({});
  const known = new Set(Object.keys(trustRoots));
  const all = root.at("identities").list((field) => readIdentity(field, known));
  const identities = Object.freeze(all.filter((identity): identity is TrustedIdentity => !("keyless" in identity)));
  const keyless = Object.freeze(all.filter((identity): identity is KeylessIdentity => "keyless" in identity));
  refuseSharedKeys(root.at("identities"), identities);
  refuseSharedNames(root.at("identities"), keyless);
  return Object.freeze({
    plane,
    policy: root.at("policy").parse(parsePolicy),
    policyText: root.at("policy").text(),
    requiredAlgorithms,
    ...root.maybe("requiredDeviceAlgorithms", (f) => f.list((name) => name.oneOf(...checkpointAlgorithms))),
    identities,
    keyless,
    trustRoots,
    ...root.maybe("classicalUntil", (f) => f.uint()),
    ...root.maybe("minimumPlaneSize", (f) => f.uint()),
    ...root.maybe("maximumAgeSeconds", (f) => f.uint()),
    skewSeconds: root.at("skewSeconds").optional((f) => f.uint()) ?? defaultSkewSeconds,
  });
}

/** Cosigners keep their clocks by NTP; five minutes is what ticket systems allow between such clocks. */
export const defaultSkewSeconds = 300;

function readPlane(field: JsonField): TrustedPlane {
  field.only("name", "log", "fleet");
  const name = field.at("name").text(200);
  return Object.freeze({
    name,
    log: readKeys(field.at("log"), `${name}/log`),
    fleet: readKeys(field.at("fleet"), `${name}/fleet`),
  });
}

function readKeys(field: JsonField, origin: string): readonly NoteKey[] {
  return field.nonEmptyList((item) => {
    const key = item.parse(parseVkey);
    if (key.name !== origin) throw item.fail(`the key is named ${key.name}; keys of this log are named ${origin}`);
    return key;
  });
}

/** Signature types of C2SP notes, by what signs them. */
export const typesOf: Record<CheckpointAlgorithm, readonly NoteKey["type"][]> = {
  ed25519: [1],
  "p-256": [2],
  "ml-dsa-44": [6],
};

function requireAlgorithms(field: JsonField, keys: readonly NoteKey[], required: readonly CheckpointAlgorithm[]): void {
  for (const algorithm of required) {
    if (!keys.some((key) => typesOf[algorithm].includes(key.type))) {
      throw field.fail(`requiredAlgorithms asks for ${algorithm}, but no key here is of that kind`);
    }
  }
}

/** One key under two names would let one person approve what the same person signed. */
function refuseSharedKeys(field: JsonField, identities: readonly TrustedIdentity[]): void {
  const names = new Map<string, string>();
  for (const { keyId, name } of identities) {
    const other = names.get(keyId) ?? name;
    if (other !== name) throw field.fail(`${other} and ${name} have the same key; list it under one name`);
    names.set(keyId, name);
  }
}

/** The same of keyless identities, whichever root vouches: a name that two patterns mean would be two people. */
function refuseSharedNames(field: JsonField, identities: readonly KeylessIdentity[]): void {
  for (const [i, { name, keyless }] of identities.entries()) {
    for (const other of identities.slice(i + 1)) {
      if (other.name === name || other.keyless.certificateOidcIssuer !== keyless.certificateOidcIssuer) continue;
      const both = [keyless.certificateIdentity, other.keyless.certificateIdentity] as const;
      if (!overlap(...both)) continue;
      throw field.fail(`whom ${both.join(" and ")} mean could be ${name} or ${other.name}; list them under one name`);
    }
  }
}
