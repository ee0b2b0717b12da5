import {
  type Envelope,
  envelopeMediaType,
  type Statement,
  type StatementResponse,
  signStatement,
} from "@tally/evidence";
import type { SigningKey } from "./keys/index.ts";
import type { PlaneClient } from "./plane-client.ts";

/** Adds an envelope to the plane's log. @throws CliError denied where the policy or the role forbids it */
export function postEnvelope(client: PlaneClient, bytes: Uint8Array): Promise<StatementResponse> {
  return client.postBytes<StatementResponse>("/api/v1/statements", bytes, envelopeMediaType);
}

/** Signs a statement and adds it to the plane's log. */
export async function signAndPost(
  client: PlaneClient,
  statement: Statement,
  { signer, others }: Pick<SigningKey, "signer" | "others">,
): Promise<StatementResponse & { readonly envelope: Envelope }> {
  const envelope = await signStatement(statement, signer, ...others);
  return { ...(await postEnvelope(client, envelope.bytes)), envelope };
}
