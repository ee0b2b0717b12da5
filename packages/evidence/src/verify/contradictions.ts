import { memberTypes, parseContradiction } from "../bundle/index.ts";
import { fromUtf8 } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { parseCheckpoint } from "../note/index.ts";
import type { Checklist } from "./check.ts";
import { checkEquivocation } from "./equivocation.ts";
import { type Fleet, keySetAt } from "./fleet.ts";
import type { Materials } from "./materials.ts";

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
    const { origin, held, refused, proof } = parseContradiction(member.bytes);
    const enrolment = fleet.enrolments.get(origin);
    if (enrolment === undefined) continue;
    materials.use(member);
    try {
      const sizes = [held, refused].map((note) => parseCheckpoint(note).checkpoint.size);
      const keySet = keySetAt(enrolment, Math.max(...sizes));
      const finding = checkEquivocation({ noteA: fromUtf8(held), noteB: fromUtf8(refused), proof, keySet });
      if (!finding.proven) throw new EvidenceError("proof-invalid", finding.reason);
    } catch (error) {
      checklist.bad(
        name,
        origin,
        `the bundle accuses it wrongly: ${error instanceof Error ? error.message : String(error)}`,
      );
      continue;
    }
    origins.add(origin);
    if (enrolment.revoked === undefined) {
      checklist.bad(name, origin, "equivocated: its keys signed two histories, and have not been revoked");
    } else {
      const since = enrolment.revoked.compromiseTime;
      const from = since === null ? "the beginning" : new Date(since).toISOString();
      checklist.good(name, origin, `equivocated, and its keys were revoked as of ${from}: what is proven older holds`);
    }
  }
  return origins;
}
