import type { Role } from "@tally/evidence";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Bearer } from "../access/tokens.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; undefined on public routes. */
    bearer: Bearer | undefined;
  }
  interface FastifyContextConfig {
    /** The route reads a body of an unknown type by itself. */
    streams?: true;
    /** Its bodies are large: fewer of them are taken at a time. */
    upload?: true;
    /** Answered however busy the plane is. */
    health?: true;
  }
}

/** Who may call a route: anyone, the holder of an enrolment token, or these roles. */
export type Access = "public" | "enrolment" | readonly Role[];

/** A route as data: what serves it, who may call it, and what the OpenAPI document says of it. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  readonly access: Access;
  readonly summary: string;
  readonly tag: "evidence" | "fleet" | "statements" | "access" | "logs" | "health" | "registry";
  readonly schema?: Readonly<Record<string, unknown>>;
  /** Bytes; left out: 1 MiB. */
  readonly bodyLimit?: number;
  /** Its body may take long to arrive. */
  readonly large?: true;
  /** It reads a body of an unknown type by itself, as it arrives. */
  readonly streams?: true;
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

/** JSON schemas that many routes share. */
export const text = { type: "string", maxLength: 4096 } as const;
export const count = { type: "integer", minimum: 0 } as const;
export const digest = { type: "string", pattern: "^sha256:[0-9a-f]{64}$" } as const;
export const deviceId = { type: "string", pattern: "^[0-9a-f]{32}$" } as const;

export function object(
  properties: Readonly<Record<string, unknown>>,
  required: readonly string[] = Object.keys(properties),
): Readonly<Record<string, unknown>> {
  return { type: "object", properties, required, additionalProperties: false };
}

/** Digits of a query parameter as a number. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : undefined;
}
