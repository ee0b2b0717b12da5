import type { EnrollRequest, EpochRequest, RotationRequest } from "@tally/evidence";
import { tokenOf } from "../../access/tokens.ts";
import { PlaneError } from "../../error.ts";
import type { PlaneParts } from "../../parts.ts";
import { count, deviceId, digest, object, type Route, text } from "../route.ts";

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
      schema: { querystring: object({ ledger: text }, []) },
      async handle(request) {
        await fleet.requireToken(tokenOf(request.headers.authorization));
        await sealer.refresh();
        const newest = await checkpoints.log.newest();
        if (newest === undefined) throw new PlaneError("not-ready", "no checkpoint has been cosigned yet: try again");
        const { ledger } = request.query as { ledger?: string };
        return {
          plane: name,
          checkpoint: Buffer.from(await checkpoints.log.bytes(newest.note)).toString("utf8"),
          ...(ledger !== undefined && { mirrored: mirror.log(ledger)?.mirrored?.note ?? null }),
        };
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
      url: "/api/v1/devices/:id/keys",
      access: ["device"],
      summary: "a device hands over to new keys, by a checkpoint that old and new ones signed",
      tag: "fleet",
      schema: {
        params: object({ id: deviceId }),
        body: object({
          keySet: { type: "string", maxLength: 16_384 },
          checkpoint: { type: "string", maxLength: 100_000 },
          old: count,
          proof: { type: "array", items: text, maxItems: 64 },
        }),
      },
      async handle(request) {
        const { id } = request.params as { id: string };
        const origin = request.bearer?.origin ?? "";
        if (!origin.includes(`/d/${id}/`)) throw new PlaneError("forbidden", "a device rotates its own keys only");
        await fleet.rotate(origin, request.body as RotationRequest, mirror);
        await sealer.upToDate();
        return { origin };
      },
    },
    {
      method: "POST",
      url: "/api/v1/devices/:id/epochs",
      access: "enrolment",
      summary: "a device asks to go on in a new epoch; with its session, or with an enrolment token",
      tag: "fleet",
      schema: {
        params: object({ id: deviceId }),
        body: object({
          origin: text,
          genesis: { type: "string", maxLength: 90_000 },
          checkpoint: { type: "string", maxLength: 100_000 },
          orphan: {
            anyOf: [
              object({ from: count, bundles: { type: "array", items: digest, maxItems: 8192 } }),
              { type: "null" },
            ],
          },
        }),
      },
      async handle(request) {
        const { id } = request.params as { id: string };
        return fleet.askEpoch(tokenOf(request.headers.authorization), id, request.body as EpochRequest, mirror);
      },
    },
  ];
}
