import { deviceStates } from "@tally/evidence";
import type { Readings } from "../../operation/metrics.ts";
import type { PlaneParts } from "../../parts.ts";
import type { Route } from "../route.ts";

/** Figures for Prometheus. */
export function metricsRoutes(parts: PlaneParts): readonly Route[] {
  return [
    {
      method: "GET",
      url: "/metrics",
      access: ["admin", "auditor"],
      summary: "figures in the text format of Prometheus; give it a token as bearer_token",
      tag: "health",
      async handle(_, reply) {
        const { metrics } = parts;
        return reply.type(metrics.contentType).send(await metrics.text(await readings(parts)));
      },
    },
  ];
}

async function readings({ logs, checkpoints, sealer, witnesses, db, clock, requests }: PlaneParts): Promise<Readings> {
  const newest = { log: await checkpoints.log.newest(), fleet: await checkpoints.fleet.newest() };
  const counted = await db.query<{ state: string; n: number }>(
    "SELECT state, COUNT(*) AS n FROM device GROUP BY state",
  );
  const [{ n } = { n: 0 }] = await db.query<{ n: number }>("SELECT COUNT(*) AS n FROM witness_contradiction");
  const notBefore = newest.log?.notBefore ?? null;
  return {
    signing: sealer.problem === undefined,
    logs: (["log", "fleet"] as const).map((log) => ({
      log,
      size: logs[log].size,
      cosigned: newest[log]?.size ?? 0,
    })),
    cosignedAge: notBefore === null ? null : Math.max(0, (clock.now() - notBefore) / 1000),
    witnesses: witnesses.states,
    contradictions: n,
    devices: deviceStates.map((state) => ({ state, n: counted.find((row) => row.state === state)?.n ?? 0 })),
    requestsInFlight: requests.inFlight,
  };
}
