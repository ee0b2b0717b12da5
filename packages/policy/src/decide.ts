import { type Digest, digestOf, encodeJson, formatTrust, type JsonObject, utf8 } from "@tally/evidence";
import { PolicyError } from "./error.ts";
import { gatherFacts } from "./facts.ts";
import type { Gate, PolicyRequest } from "./request.ts";
import type { Rule } from "./rule.ts";
import { approvedByAnother } from "./rules/approved-by-another.ts";
import { filesMatch } from "./rules/files-match.ts";
import { modelSigned } from "./rules/model-signed.ts";
import { notQuarantined } from "./rules/not-quarantined.ts";
import { notRejected } from "./rules/not-rejected.ts";
import { released } from "./rules/released.ts";
import { statementsReadable } from "./rules/statements-readable.ts";
import type { Verdict } from "./verdict.ts";

/** The rules of each gate. All are checked, so that a verdict names everything that is amiss. */
const rulesOf: Readonly<Record<Gate, readonly Rule[]>> = Object.freeze({
  approve: [statementsReadable, modelSigned, filesMatch, approvedByAnother],
  release: [statementsReadable, modelSigned, filesMatch, approvedByAnother, notRejected, notQuarantined, released],
  load: [statementsReadable, modelSigned, filesMatch, approvedByAnother, notRejected, notQuarantined, released],
});

/** Decides. It reads nothing but the request and never throws: what cannot be shown is a reason to deny. */
export function decide(request: PolicyRequest): Verdict {
  const facts = gatherFacts(request);
  const findings = rulesOf[request.gate].map((rule) => ({ rule: rule.name, ...rule.check(facts) }));
  const { gate, manifest, repository, channel, at } = request;
  return Object.freeze({
    gate,
    subject: manifest,
    repository,
    ...(channel === undefined ? {} : { channel }),
    allow: findings.every((finding) => finding.pass),
    reasons: Object.freeze(
      findings.map(({ rule, pass, message }) =>
        Object.freeze({ rule, result: pass ? ("pass" as const) : ("fail" as const), message }),
      ),
    ),
    policy: policyDigest(request),
    inputs: Object.freeze([...new Set(findings.flatMap((finding) => finding.inputs))].sort()),
    ...(at === undefined ? {} : { at }),
  });
}

/** The verdict in RFC 8785 form: the bytes that a load entry's permit digest names. */
export function permitBytes(verdict: Verdict): Uint8Array {
  return encodeJson(verdict as unknown as JsonObject);
}

/** SHA-256 of the verdict in RFC 8785 form. */
export function permitDigest(verdict: Verdict): Digest {
  return digestOf(permitBytes(verdict));
}

/** @throws PolicyError `denied`, with every reason, unless the verdict allows */
export function requireAllowed(verdict: Verdict): Verdict {
  if (verdict.allow) return verdict;
  const failed = verdict.reasons.filter((reason) => reason.result === "fail");
  const why = failed.map((reason) => `${reason.rule}: ${reason.message}`).join("; ");
  throw new PolicyError("denied", `${verdict.gate} of ${verdict.subject} is denied: ${why}`, verdict);
}

function policyDigest({ gate, trust }: PolicyRequest): Digest {
  const rules = rulesOf[gate].map((rule) => rule.name);
  return digestOf(encodeJson({ policy: "tally-fixed-rules/v1", rules, trust: digestOf(utf8(formatTrust(trust))) }));
}
