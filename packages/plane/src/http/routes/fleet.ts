import type { EnrollRequest, RevokeRequest } from "@tally/evidence";
import { tokenOf } from "../../access/tokens.ts";
import { PlaneError } from "../../error.ts";
import type { PlaneParts } from "../../parts.ts";
import { count, deviceId, object, type Route, text } from "../route.ts";

const observers = ["admin", "auditor", "approver", "publisher", "scientist"] as const;

/** Enrolment and the state of devices. */
export function fleetRoutes({ fleet, mirror, checkpoints, sealer, name }: PlaneParts): readonly Route[] {
  return [
    {
      method: "GET",
      url: "/api/v1/genesis",
      access: "enrolment",
      summary: "what a new device's first entry needs",
      tag: "fleet",
      async handle(request) {
        await fleet.requireToken(tokenOf(request.headers.authorization));
        await sealer.refresh();
        const newest = await checkpoints.log.newest();
        if (newest === undefined) throw new PlaneError("not-ready", "no checkpoint has been cosigned yet: try again");
        return { plane: name, checkpoint: Buffer.from(await checkpoints.log.bytes(newest.note)).toString("utf8") };
      },
    },
    {
      method: "POST",
      url: "/api/v1/enroll",
      access: "enrolment",
      summary: "enrol a device with its first entry and proof that it holds its keys",
      tag: "fleet",
      schema: {
        body: object({
          deviceId,
          origin: text,
          genesis: { type: "string", maxLength: 90_000 },
          checkpoint: { type: "string", maxLength: 100_000 },
        }),
      },
      async handle(request) {
        return fleet.enroll(tokenOf(request.headers.authorization), request.body as EnrollRequest);
      },
    },
    {
      method: "GET",
      url: "/api/v1/devices",
      access: observers,
      summary: "every device: its state, its heads, what was found against it",
      tag: "fleet",
      async handle() {
        return { devices: await fleet.status(mirror) };
      },
    },
    {
      method: "GET",
      url: "/api/v1/devices/:id",
      access: [...observers, "device"],
      summary: "one device",
      tag: "fleet",
      schema: { params: object({ id: deviceId }) },
      async handle(request) {
        const { id } = request.params as { id: string };
        if (request.bearer?.role === "device" && !request.bearer.origin?.includes(`/d/${id}/`)) {
          throw new PlaneError("forbidden", "a device sees only itself");
        }
        const devices = await fleet.status(mirror, id);
        if (devices.length === 0) throw new PlaneError("not-found", `no device has the id ${id}`);
        return { devices };
      },
    },
    {
      method: "POST",
      url: "/api/v1/devices/:id/revoke",
      access: ["admin"],
      summary: "revoke a device's keys as of a time; what is proven older holds",
      tag: "fleet",
      schema: {
        params: object({ id: deviceId }),
        body: object({ compromiseTime: { anyOf: [count, { type: "null" }] }, reason: text }),
      },
      async handle(request) {
        const { id } = request.params as { id: string };
        const { compromiseTime, reason } = request.body as RevokeRequest;
        await fleet.revoke(id, compromiseTime, reason);
        // A verifier learns of it from the next heads: better now than with the next round.
        await sealer.upToDate();
        return { revoked: id };
      },
    },
  ];
}
