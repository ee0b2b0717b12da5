import { signersWhoMay } from "../facts.ts";
import { fail, pass, type Rule } from "../rule.ts";

/** Of nobody who may approve is the latest word a rejection. Only who rejected can take it back, by approving. */
export const notRejected: Rule = {
  name: "not-rejected",
  check(facts) {
    const latest = new Map<string, (typeof facts.approvals)[number]>();
    for (const fact of facts.approvals) {
      for (const identity of signersWhoMay("approve", fact.from, facts)) latest.set(identity.name, fact);
    }
    const rejections = [...latest].filter(([, { said }]) => said.decision === "rejected");
    if (rejections.length === 0) return pass("no rejection stands", []);
    return fail(
      `rejected by ${rejections.map(([name]) => name).join(" and ")}`,
      rejections.map(([, { from }]) => from.envelope),
    );
  },
};
