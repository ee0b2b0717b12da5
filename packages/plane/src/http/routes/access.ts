import { type IdentityBody, type NonceRequest, roles, type SessionRequest, type TokenRequest } from "@tally/evidence";
import type { PlaneParts } from "../../parts.ts";
import { count, object, type Route, text } from "../route.ts";

const longText = { type: "string", maxLength: 2048 };
const day = 86_400;

/** Tokens, sessions of devices, and the identities that statements are taken from. */
export function accessRoutes(parts: PlaneParts): readonly Route[] {
  const { tokens, sessions, fleet, identities } = parts;
  return [
    {
      method: "POST",
      url: "/api/v1/tokens",
      access: ["admin"],
      summary: "make an access token",
      tag: "access",
      schema: {
        body: object(
          {
            role: { enum: roles.filter((role) => role !== "device") },
            repository: text,
            expiresIn: { type: "integer", minimum: 1, maximum: 3650 * day },
            note: text,
          },
          ["role"],
        ),
      },
      async handle(request, reply) {
        const { role, repository = "*", expiresIn = 30 * day, note } = request.body as TokenRequest;
        reply.code(201);
        return tokens.create({ role, repository, origin: null }, expiresIn * 1000, note);
      },
    },
    {
      method: "POST",
      url: "/api/v1/enrolment-tokens",
      access: ["admin"],
      summary: "make a one-time token that enrols one device",
      tag: "access",
      schema: {
        body: object({ name: text, group: text, expiresIn: { type: "integer", minimum: 1, maximum: 365 * day } }, []),
      },
      async handle(request, reply) {
        const {
          name,
          group,
          expiresIn = 7 * day,
        } = request.body as { name?: string; group?: string; expiresIn?: number };
        reply.code(201);
        return fleet.createToken(name, group, expiresIn * 1000);
      },
    },
    {
      method: "POST",
      url: "/api/v1/sessions/nonce",
      access: "public",
      summary: "a nonce for a device to sign",
      tag: "access",
      schema: { body: object({ origin: text }) },
      async handle(request) {
        return { nonce: sessions.nonce((request.body as NonceRequest).origin) };
      },
    },
    {
      method: "POST",
      url: "/api/v1/sessions",
      access: "public",
      summary: "an hour's token for a device that has signed its nonce",
      tag: "access",
      schema: {
        body: object(
          { origin: text, nonce: text, signature: text, planeCheckpoint: { type: "string", maxLength: 100_000 } },
          ["origin", "nonce", "signature"],
        ),
      },
      async handle(request) {
        return openSession(parts, request.body as SessionRequest);
      },
    },
    {
      method: "POST",
      url: "/api/v1/identities",
      access: ["admin"],
      summary: "say whose statements the plane takes, and about what",
      tag: "access",
      schema: {
        body: object(
          {
            name: text,
            key: { type: "string", maxLength: 16_384 },
            keyless: object({ certificateIdentity: longText, certificateOidcIssuer: longText, trustRoot: text }),
            trustedRoot: { type: "object" },
            may: { type: "array", items: text, maxItems: 16 },
            repositories: { type: "array", items: text, maxItems: 1000 },
            from: count,
            until: count,
          },
          ["name", "may", "repositories"],
        ),
      },
      async handle(request, reply) {
        await identities.add(request.body as IdentityBody);
        reply.code(201);
        return { added: (request.body as IdentityBody).name };
      },
    },
    {
      method: "GET",
      url: "/api/v1/identities",
      access: ["admin", "publisher", "approver", "auditor"],
      summary: "whose statements the plane takes",
      tag: "access",
      async handle() {
        return { identities: await identities.list() };
      },
    },
    {
      method: "GET",
      url: "/api/v1/trust",
      access: ["admin", "publisher", "approver", "auditor", "scientist"],
      summary: "the plane's own trust file: convenient, and worth nothing until it is compared out of band",
      tag: "access",
      async handle(_, reply) {
        return reply.type("application/json").send(Buffer.from(await identities.trustFile()));
      },
    },
  ];
}

/** The plane's own checkpoint needs nobody's word, so it is looked at even where the one who shows it gets no session. */
async function openSession({ sessions, fleet, sightings, restored }: PlaneParts, asked: SessionRequest) {
  const { origin, nonce, signature, planeCheckpoint } = asked;
  const show = async (by: string) => planeCheckpoint && sightings.take(planeCheckpoint, by);
  try {
    const opened = await sessions.open(origin, nonce, signature, await fleet.keySet(origin));
    await show(`the device ${origin}`);
    if (planeCheckpoint !== undefined) await restored.heard(origin);
    return opened;
  } catch (error) {
    await show(`someone in the name of ${origin.slice(0, 200)}`);
    throw error;
  }
}
