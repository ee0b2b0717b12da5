import { EvidenceError } from "../error.ts";
import type { KeySet } from "../note/index.ts";
import { type Trust, typesOf } from "../trust/index.ts";

/**
 * That a device's keys are of the kinds that the trust file asks for: a set without them was not made where the verifier believes
 * that keys are kept. P-256, as in a TPM, may stand in Ed25519's place; ML-DSA-44 stays in every set.
 *
 * @throws EvidenceError `signature-missing`
 */
export function requireDeviceAlgorithms(origin: string, keySet: KeySet, trust: Trust): void {
  const required = trust.requiredDeviceAlgorithms ?? trust.requiredAlgorithms.filter((name) => name === "ml-dsa-44");
  for (const algorithm of required) {
    if (keySet.some(({ type }) => typesOf[algorithm].includes(type))) continue;
    throw new EvidenceError("signature-missing", `the trust file asks for ${algorithm}, and ${origin} has no such key`);
  }
}
