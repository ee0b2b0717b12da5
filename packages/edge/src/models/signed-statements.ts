import { type KeyStanding, signedWhen, type Trust, verifyEnvelope } from "@tally/evidence";
import { keylessSigners } from "@tally/oci";
import { type SignedStatement, statementBy } from "@tally/policy";
import type { PlaneCheckpoint } from "../sync/plane-checkpoint.ts";
import type { ChannelAnswer } from "./channel-answer.ts";
import { loggedWhen } from "./logged-when.ts";

/** An answer's statements, in the order of the log, each with those signers whose keys count for it. */
export interface SignedStatements {
  readonly statements: readonly SignedStatement[];
  /** Whose signatures do not count because of their key, and why. */
  readonly notCounting: readonly string[];
}

/** @throws EdgeError `plane-untrusted` where the plane says of a statement when it was logged, and does not prove it */
export async function signedStatements(
  trust: Trust,
  answer: ChannelAnswer,
  checkpoint: PlaneCheckpoint,
  standing: KeyStanding,
): Promise<SignedStatements> {
  const notCounting = new Set<string>();
  const logged = [...answer.statements].sort((a, b) => a.index - b.index);
  const statements: SignedStatement[] = [];
  for (const statement of logged) {
    const { envelope, index } = statement;
    const time = loggedWhen(statement, checkpoint, trust);
    const keyless = await keylessSigners(envelope, trust);
    const everySigner = [...verifyEnvelope(envelope, standing.identities), ...keyless.signers];
    const signers = everySigner.filter((signer) => {
      const why = standing.whyNot(signer, { time: signedWhen(signer, time), index });
      if (why !== undefined) notCounting.add(`${signer.name} ${why}`);
      return why === undefined;
    });
    const some = signers.length < everySigner.length;
    statements.push(statementBy(envelope, { signers, time, ...(some && { everySigner }) }));
  }
  return { statements, notCounting: [...notCounting] };
}
