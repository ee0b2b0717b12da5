import { InvalidArgumentError } from "commander";
import { statementTypes } from "../statement-types.ts";

/** The short names that `cosign attest --type` takes, with what cosign 3 makes of each. */
const cosignTypes: Readonly<Record<string, string>> = {
  slsaprovenance: "https://slsa.dev/provenance/v0.2",
  slsaprovenance02: "https://slsa.dev/provenance/v0.2",
  slsaprovenance1: "https://slsa.dev/provenance/v1",
  spdx: "https://spdx.dev/Document",
  spdxjson: "https://spdx.dev/Document",
  cyclonedx: "https://cyclonedx.org/bom",
  vuln: "https://cosign.sigstore.dev/attestation/vuln/v1",
  openvex: "https://openvex.dev/ns",
  custom: "https://cosign.sigstore.dev/attestation/v1",
};

/** The predicate type that `--type` names: a URI, one of cosign's names, or one of `tally statement sign`. */
export function parsePredicateType(text: string): string {
  if (text.includes(":")) return text;
  const own = Object.hasOwn(statementTypes, text) ? statementTypes[text]?.uri : undefined;
  const type = own ?? (Object.hasOwn(cosignTypes, text) ? cosignTypes[text] : undefined);
  if (type !== undefined) return type;
  const known = [...Object.keys(statementTypes), ...Object.keys(cosignTypes)].join(", ");
  throw new InvalidArgumentError(`It is a URI, or one of ${known}.`);
}
