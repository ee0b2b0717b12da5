import { type Envelope, type Trust, type TrustedIdentity, verifyEnvelope } from "@tally/evidence";
import { keylessSigners } from "@tally/oci";

/** Who of those known has signed, by key or keyless. */
export async function knownSigners(
  envelope: Envelope,
  trust: Pick<Trust, "identities" | "keyless" | "trustRoots">,
): Promise<readonly TrustedIdentity[]> {
  return [...verifyEnvelope(envelope, trust.identities), ...(await keylessSigners(envelope, trust)).signers];
}
