// A link between a client and a registry that breaks when it is told to, for tests.

import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** What happens to a link when it has carried as many bytes as it was given. */
export type Breaking =
  /** The connection is cut, and the next one may carry as many again. */
  | "cut"
  /** The connection is cut, and nobody answers any more. */
  | "dead"
  /** Nothing goes through any more, and nobody says so. */
  | "silent";

export class LossyLink {
  readonly url: string;
  /** Bytes that went through, by direction. */
  down = 0;
  up = 0;
  readonly #events: EventEmitter;
  readonly #state: LinkState;

  private constructor(url: string, events: EventEmitter, state: LinkState) {
    this.url = url;
    this.#events = events;
    this.#state = state;
  }

  /** A link to the registry at `target` that breaks after `budget` bytes in one direction. */
  static async to(t: TestContext, target: string): Promise<LossyLink> {
    const { hostname, port } = new URL(target);
    const events = new EventEmitter();
    const state: LinkState = { budget: Number.POSITIVE_INFINITY, refill: 0, way: "cut", direction: "down" };
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      if (state.budget <= 0 && state.way === "dead") return void near.destroy();
      const far = connect(Number(port), hostname);
      for (const [from, to, direction] of [
        [near, far, "up"],
        [far, near, "down"],
      ] as const) {
        sockets.add(from);
        from.on("error", () => {});
        from.on("close", () => {
          sockets.delete(from);
          to.destroy();
        });
        from.on("data", (bytes: Buffer) => {
          const counted = direction === state.direction;
          const through = counted ? bytes.subarray(0, Math.max(0, state.budget)) : bytes;
          if (counted) state.budget -= bytes.length;
          link[direction] += through.length;
          if (counted && state.budget < 0) return void breakDown(through, from, to);
          if (!to.write(through)) from.pause();
        });
        to.on("drain", () => from.resume());
      }
      const breakDown = (last: Uint8Array, from: Socket, to: Socket) => {
        from.pause();
        to.write(last, () => {
          if (state.way === "silent") return;
          near.destroy();
          far.destroy();
        });
        if (state.way === "cut") state.budget = state.refill;
        events.emit("broken");
      };
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const link = new LossyLink(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, events, state);
    return link;
  }

  /** Lets it break after so many more bytes in a direction. */
  breakAfter(budget: number, way: Breaking, direction: "up" | "down" = "down"): void {
    Object.assign(this.#state, { budget, refill: budget, way, direction });
  }

  /** Lets it be sound again, and counts anew. */
  mend(): void {
    this.breakAfter(Number.POSITIVE_INFINITY, "cut");
    this.down = 0;
    this.up = 0;
  }

  async broken(): Promise<void> {
    await once(this.#events, "broken");
  }
}

interface LinkState {
  budget: number;
  refill: number;
  way: Breaking;
  direction: "up" | "down";
}
