import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

export interface LossyLink {
  readonly url: string;
  /** Connections that were dropped, and bytes that went up. */
  readonly dropped: number;
  readonly bytesUp: number;
  close(): Promise<void>;
}

export interface LinkOptions {
  /** Where the plane is. */
  readonly target: URL;
  /** Towards the plane, all connections together. */
  readonly bytesPerSecond: number;
  /** After how many bytes, on average, a connection is dropped without a word. */
  readonly bytesPerDrop: number;
  readonly random: () => number;
}

const SLICE_MS = 20;

/** A proxy on loopback that is slow upwards and drops connections in the middle of whatever they carry. */
export async function lossyLink({ target, bytesPerSecond, bytesPerDrop, random }: LinkOptions): Promise<LossyLink> {
  const state = { dropped: 0, bytesUp: 0 };
  const sockets = new Set<Socket>();
  // The rate is shared: whoever sends next waits until what was sent before has had its time.
  let free = 0;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    let left = bytesPerDrop * -Math.log(1 - random());
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => {});
    }
    const drop = () => {
      state.dropped += 1;
      near.resetAndDestroy();
      far.resetAndDestroy();
    };
    near.on("data", (chunk: Buffer) => {
      near.pause();
      const now = performance.now();
      free = Math.max(free, now) + (chunk.length / bytesPerSecond) * 1000;
      const pass = () => {
        left -= chunk.length;
        if (left <= 0) return drop();
        state.bytesUp += chunk.length;
        far.write(chunk);
        near.resume();
      };
      // Timers are no finer than that.
      if (free - now < SLICE_MS) pass();
      else setTimeout(pass, free - now);
    });
    far.on("data", (chunk: Buffer) => near.write(chunk));
    near.on("end", () => far.end());
    far.on("end", () => near.end());
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get dropped() {
      return state.dropped;
    },
    get bytesUp() {
      return state.bytesUp;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
