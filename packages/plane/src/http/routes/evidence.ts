import { bundleMediaType, type IntervalQuestion, parseDigest } from "@tally/evidence";
import { answer, coseReceipt } from "../../audit/index.ts";
import { PlaneError } from "../../error.ts";
import type { PlaneParts } from "../../parts.ts";
import { deviceId, digest, object, type Route } from "../route.ts";
import { sendFile, tagToGoOnWith } from "../send-file.ts";

/** RFC 9052, 12.1. */
const coseMediaType = 'application/cose; cose-type="cose-sign1"';

const auditors = ["admin", "auditor", "approver", "publisher"] as const;
const details = { type: "string", enum: ["full", "summarised", "summary"] } as const;
const time = { type: "string", pattern: "^[0-9]{1,16}$" } as const;

/** For so long nothing of an answer need be taken before its connection is ended. */
const sendingTimeoutMs = 60_000;

interface AuditQuery {
  readonly detail?: (typeof details.enum)[number];
  readonly model?: string;
  readonly from: string;
  readonly to: string;
  readonly device?: string | string[];
}

/** Answers with their evidence: bundles about an interval, receipts of single records. */
export function evidenceRoutes({ source, answers, fleet, sealer, receipts }: PlaneParts): readonly Route[] {
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
            detail: details,
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
        const begun = tagToGoOnWith(request);
        const held = begun === undefined ? undefined : await answers.find(question, begun);
        reply.type(bundleMediaType);
        if (held !== undefined) return sendFile(request, reply, held);
        // A wide answer takes longer to make than a connection may otherwise be silent.
        request.raw.socket.setTimeout(0);
        await sealer.upToDate();
        const made = await answers.answer(question, query.detail === "summarised" ? "summarised" : "full");
        request.raw.socket.setTimeout(sendingTimeoutMs);
        return sendFile(request, reply, made);
      },
    },
    {
      method: "GET",
      url: "/api/v1/receipts/:device/:index",
      access: [...auditors, "device", "scientist"],
      summary: "one record with everything that proves it, as an evidence bundle",
      tag: "evidence",
      schema: {
        params: object({ device: deviceId, index: { type: "string", pattern: "^[0-9]{1,16}$" } }),
        querystring: object({ format: { type: "string", enum: ["bundle", "scitt"] } }, []),
      },
      async handle(request, reply) {
        const { device, index } = request.params as { device: string; index: string };
        const origin = await fleet.originOf(device);
        if (request.bearer?.role === "device" && request.bearer.origin !== origin) {
          throw new PlaneError("forbidden", "a device gets receipts of its own records only");
        }
        if ((request.query as { format?: string }).format === "scitt") {
          const receipt = await coseReceipt(source, origin, Number(index), receipts);
          return reply.type(coseMediaType).send(Buffer.from(receipt));
        }
        // Who asks for more than its own records wants what the plane knows by now, such as that a record was erased since.
        if (request.bearer?.role !== "device") await sealer.upToDate();
        const bundle = await answer(source, { kind: "record", origin, index: Number(index) });
        return reply.type(bundleMediaType).send(Buffer.from(bundle));
      },
    },
  ];
}
