import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { tokenOf } from "../access/tokens.ts";

export interface RequestLimitOptions {
  /** Requests a second of one token, or of one address without any; ten times as many at once. Default 200. */
  readonly perSecond?: number;
  /** Requests under way; more are asked to come again. Default 1,000. */
  readonly concurrent?: number;
  /** Of these, uploads of entries and blobs. Default 256. */
  readonly uploads?: number;
}

/** Why a request is turned away, and after how many seconds it may come again. */
export interface TurnedAway {
  readonly status: 429 | 503;
  readonly reason: "rate" | "busy";
  readonly retryAfter: number;
}

interface Bucket {
  left: number;
  at: number;
}

/** Callers whose rate is remembered; whoever has not called for longest is forgotten first. */
const remembered = 20_000;
const burst = 10;

/**
 * How many requests the plane takes: a token's rate, as a bucket that fills at a steady pace, and how many are under way at a
 * time. Time is the process's own, which does not jump.
 */
export class RequestLimits {
  readonly #perSecond: number;
  readonly #concurrent: number;
  readonly #uploads: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();
  #inFlight = 0;
  #uploading = 0;

  constructor(options: RequestLimitOptions = {}, now: () => number = () => performance.now()) {
    this.#perSecond = options.perSecond ?? 200;
    this.#concurrent = options.concurrent ?? 1_000;
    this.#uploads = options.uploads ?? 256;
    this.#now = now;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Counts a request against its caller's rate. */
  rate(request: Pick<FastifyRequest, "headers" | "ip">): TurnedAway | undefined {
    const key = callerOf(request);
    const now = this.#now();
    const most = Math.max(1, this.#perSecond * burst);
    const { left, at } = this.#buckets.get(key) ?? { left: most, at: now };
    const filled = Math.min(most, left + ((now - at) / 1000) * this.#perSecond);
    this.#buckets.delete(key);
    this.#buckets.set(key, { left: filled >= 1 ? filled - 1 : filled, at: now });
    if (this.#buckets.size > remembered) this.#buckets.delete(this.#buckets.keys().next().value!);
    if (filled >= 1) return undefined;
    return { status: 429, reason: "rate", retryAfter: Math.max(1, Math.ceil((1 - filled) / this.#perSecond)) };
  }

  /** Takes a place among the requests under way; `leave` gives it back. */
  enter(upload: boolean): { readonly leave: () => void } | TurnedAway {
    if (this.#inFlight >= this.#concurrent || (upload && this.#uploading >= this.#uploads)) {
      return { status: 503, reason: "busy", retryAfter: 1 };
    }
    this.#inFlight += 1;
    if (upload) this.#uploading += 1;
    let inside = true;
    return {
      leave: () => {
        if (!inside) return;
        inside = false;
        this.#inFlight -= 1;
        if (upload) this.#uploading -= 1;
      },
    };
  }
}

/** A token's digest, so that none is kept; without one the address. */
function callerOf({ headers, ip }: Pick<FastifyRequest, "headers" | "ip">): string {
  const token = tokenOf(headers.authorization);
  return token === undefined ? `address ${ip}` : `token ${createHash("sha256").update(token).digest("base64")}`;
}
