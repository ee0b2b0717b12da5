import type { EntryRequestBody } from "@tally/evidence";
import { PlaneError } from "../../error.ts";
import type { PlaneParts } from "../../parts.ts";
import { count, deviceId, object, type Route } from "../route.ts";

/** Entries that devices keep to themselves until someone asks for them. */
export function entryRequestRoutes({ entryRequests }: PlaneParts): readonly Route[] {
  return [
    {
      method: "POST",
      url: "/api/v1/devices/:id/entry-requests",
      access: ["admin", "auditor"],
      summary: "ask a device that sends heads only for its entries, up to a number",
      tag: "fleet",
      schema: {
        params: object({ id: deviceId }),
        body: object({ to: { anyOf: [{ ...count, minimum: 1 }, { type: "null" }] } }),
      },
      async handle(request, reply) {
        const { id } = request.params as { id: string };
        const asked = await entryRequests.add(id, (request.body as EntryRequestBody).to);
        reply.code(201);
        return asked;
      },
    },
    {
      method: "GET",
      url: "/api/v1/devices/:id/entry-requests",
      access: ["admin", "auditor"],
      summary: "what a device was asked for, and what of it has been delivered",
      tag: "fleet",
      schema: { params: object({ id: deviceId }) },
      async handle(request) {
        return { requests: await entryRequests.list((request.params as { id: string }).id) };
      },
    },
    {
      method: "GET",
      url: "/api/v1/ledger/entry-request",
      access: ["device"],
      summary: "what this device's ledger is asked for next, with the ticket for add-entries",
      tag: "fleet",
      async handle({ bearer }) {
        if (bearer?.origin == null) throw new PlaneError("forbidden", "this token is of no ledger");
        return entryRequests.next(bearer.origin);
      },
    },
  ];
}
