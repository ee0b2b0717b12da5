import { bundleMediaType, type IntervalQuestion, parseDigest } from "@tally/evidence";
import { answer } from "../../audit/index.ts";
import { PlaneError } from "../../error.ts";
import type { PlaneParts } from "../../parts.ts";
import { deviceId, digest, object, type Route } from "../route.ts";

const auditors = ["admin", "auditor", "approver", "publisher"] as const;
const detail = { type: "string", enum: ["full", "summary"] } as const;
const time = { type: "string", pattern: "^[0-9]{1,16}$" } as const;

interface AuditQuery {
  readonly detail?: (typeof detail.enum)[number];
  readonly model?: string;
  readonly from: string;
  readonly to: string;
  readonly device?: string | string[];
}

/** Answers with their evidence: bundles about an interval, receipts of single records. */
export function evidenceRoutes({ source, fleet, sealer }: PlaneParts): readonly Route[] {
  return [
    {
      method: "GET",
      url: "/api/v1/audit",
      access: auditors,
      summary:
        "records of an interval, or their counts alone, with everything that proves them, as an evidence bundle; times in milliseconds",
      tag: "evidence",
      schema: {
        querystring: object(
          {
            detail,
            model: digest,
            from: time,
            to: time,
            device: { anyOf: [deviceId, { type: "array", items: deviceId }] },
          },
          ["from", "to"],
        ),
      },
      async handle(request, reply) {
        const query = request.query as AuditQuery;
        const devices = query.device === undefined ? null : [...new Set([query.device].flat())].sort();
        const question: IntervalQuestion = {
          kind: query.detail === "summary" ? "summary" : "records",
          model: query.model === undefined ? null : parseDigest(query.model),
          from: Number(query.from),
          to: Number(query.to),
          devices,
        };
        if (question.from >= question.to) throw new PlaneError("bad-request", "`from` is not before `to`");
        for (const id of devices ?? []) await fleet.originOf(id);
        await sealer.upToDate();
        return reply.type(bundleMediaType).send(Buffer.from(await answer(source, question)));
      },
    },
    {
      method: "GET",
      url: "/api/v1/receipts/:device/:index",
      access: [...auditors, "device", "scientist"],
      summary: "one record with everything that proves it, as an evidence bundle",
      tag: "evidence",
      schema: { params: object({ device: deviceId, index: { type: "string", pattern: "^[0-9]{1,16}$" } }) },
      async handle(request, reply) {
        const { device, index } = request.params as { device: string; index: string };
        const origin = await fleet.originOf(device);
        if (request.bearer?.role === "device" && request.bearer.origin !== origin) {
          throw new PlaneError("forbidden", "a device gets receipts of its own records only");
        }
        const bundle = await answer(source, { kind: "record", origin, index: Number(index) });
        return reply.type(bundleMediaType).send(Buffer.from(bundle));
      },
    },
  ];
}
