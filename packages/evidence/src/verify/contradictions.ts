import { type ContradictionMember, memberTypes, parseContradiction } from "../bundle/index.ts";
import { fromUtf8 } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { parseCheckpoint } from "../note/index.ts";
import type { Checklist } from "./check.ts";
import { checkEquivocation } from "./equivocation.ts";
import { type Enrolment, type Fleet, keySetAt } from "./fleet-entries.ts";
import type { Materials } from "./materials.ts";
import { showMoment } from "./moments.ts";

const name = "one history";

/**
 * Two checkpoints signed by one device that cannot both be true convict the holder of its keys, whoever that is. Where
 * the fleet log has revoked the keys since, the contradiction is answered for: records proven older than the
 * compromise hold, the others are marked.
 *
 * @returns the origins that equivocated.
 */
export function verifyContradictions(fleet: Fleet, materials: Materials, checklist: Checklist): ReadonlySet<string> {
  const origins = new Set<string>();
  for (const member of materials.list(memberTypes.contradiction)) {
    const accusation = parseContradiction(member.bytes);
    const { origin } = accusation;
    const enrolment = fleet.enrolments.get(origin);
    if (enrolment === undefined) continue;
    materials.use(member);
    try {
      requireConviction(accusation, enrolment);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      checklist.bad(name, origin, `the bundle accuses it wrongly: ${why}`);
      continue;
    }
    origins.add(origin);
    if (enrolment.revoked === undefined) {
      checklist.bad(name, origin, "equivocated: its keys signed two histories, and have not been revoked");
    } else {
      const since = enrolment.revoked.compromiseTime;
      const from = since === null ? "the beginning" : showMoment(since);
      checklist.good(name, origin, `equivocated, and its keys were revoked as of ${from}: what is proven older holds`);
    }
  }
  return origins;
}

function requireConviction({ origin, held, refused, proof }: ContradictionMember, enrolment: Enrolment): void {
  const checkpoints = [held, refused].map((note) => parseCheckpoint(note).checkpoint);
  const keySet = keySetAt(enrolment, Math.max(...checkpoints.map(({ size }) => size)));
  const finding = checkEquivocation({ noteA: fromUtf8(held), noteB: fromUtf8(refused), proof, keySet });
  if (!finding.proven) throw new EvidenceError("proof-invalid", finding.reason);
  if (finding.origin !== origin) throw new EvidenceError("proof-invalid", `it is of ${finding.origin}`);
}
