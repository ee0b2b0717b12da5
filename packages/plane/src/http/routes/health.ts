import type { Readiness } from "@tally/evidence";
import type { OutsideRegistry } from "@tally/oci";
import type { PlaneParts } from "../../parts.ts";
import type { Route } from "../route.ts";

/** Whether the process lives, and whether it can answer with proof. */
export function healthRoutes({ checkpoints, witnesses, sealer, logs, outsideRegistry }: PlaneParts): readonly Route[] {
  return [
    {
      method: "GET",
      url: "/healthz",
      access: "public",
      summary: "the process answers",
      tag: "health",
      async handle() {
        return { status: "ok" };
      },
    },
    {
      method: "GET",
      url: "/readyz",
      access: "public",
      summary: "whether checkpoints are signed and cosigned, and what each witness last said",
      tag: "health",
      async handle(_, reply) {
        const newest = await checkpoints.log.newest();
        const { message: problem, hint } = logs.problem ?? { message: sealer.problem, hint: sealer.hint };
        const ready = newest !== undefined && problem === undefined;
        const body: Readiness = {
          ready,
          cosignedSize: newest?.size ?? null,
          witnesses: witnesses.states,
          ...(problem !== undefined && { problem }),
          ...(hint !== undefined && { hint }),
          ...(outsideRegistry && { registry: stateOf(outsideRegistry) }),
        };
        return reply.code(ready ? 200 : 503).send(body);
      },
    },
  ];
}

/** An outside registry that is away ends no proof: it is told, and readiness does not depend on it. */
function stateOf({ url, problem }: OutsideRegistry): NonNullable<Readiness["registry"]> {
  return { url, problem: problem ?? null };
}
