import { makersOf, namesOf, signersWhoMay } from "../facts.ts";
import { fail, pass, type Rule } from "../rule.ts";

/** Someone who may approve has approved it, and is not among those who trained or signed it. Two keys of one name are one person. */
export const approvedByAnother: Rule = {
  name: "approved-by-another",
  check(facts) {
    const { repository } = facts.request;
    const approvals = facts.approvals.filter(({ said }) => said.decision === "approved");
    if (approvals.length === 0) return fail("nobody of the trust file has approved it");
    const inputs = approvals.map(({ from }) => from.envelope);
    const able = approvals.flatMap(({ from }) => signersWhoMay("approve", from, facts));
    if (able.length === 0) {
      const who = namesOf(approvals.flatMap(({ from }) => from.signers));
      return fail(`${who} may not approve models of ${repository}`, inputs);
    }
    const makers = makersOf(facts);
    const others = able.filter((identity) => !makers.has(identity.name));
    if (others.length === 0) {
      return fail(`${namesOf(able)} made the model; somebody else has to approve it`, inputs);
    }
    return pass(`approved by ${namesOf(others)}, who did not make it`, inputs);
  },
};
