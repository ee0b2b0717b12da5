import { connect, type Socket } from "node:net";

/**
 * A client that costs little: connections that stay open, each with one request under way, nothing parsed of an answer but its
 * status and length. What it measures is the server.
 */
export class KeepAlive {
  readonly #sockets: readonly Socket[];

  private constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  static async open(url: string, width: number): Promise<KeepAlive> {
    const { hostname, port } = new URL(url);
    const sockets = Array.from({ length: width }, () => connect({ host: hostname, port: Number(port), noDelay: true }));
    await Promise.all(sockets.map((socket) => new Promise((opened) => socket.once("connect", opened))));
    return new KeepAlive(sockets);
  }

  /** Sends the same request `total` times over all connections. Throws at an answer that is not 200. */
  async send(request: Uint8Array, total: number, withBody: boolean): Promise<void> {
    let left = total;
    await Promise.all(
      this.#sockets.map(async (socket) => {
        while (left > 0) {
          left -= 1;
          await answered(socket, request, withBody);
        }
      }),
    );
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Resolves when the whole of one answer has come. */
function answered(socket: Socket, request: Uint8Array, withBody: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let head: Buffer = Buffer.alloc(0);
    let missing: number | undefined;
    const done = (error?: Error) => {
      socket.off("data", onData).off("close", onClose).off("error", done);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onClose = () => done(new Error("the server closed the connection"));
    const onData = (chunk: Buffer) => {
      if (missing === undefined) {
        head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        const text = head.toString("latin1", 0, end);
        if (!text.startsWith("HTTP/1.1 200 ")) return done(new Error(`an answer of ${text.split("\r\n")[0]}`));
        const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1]);
        if (Number.isNaN(length)) return done(new Error("an answer without Content-Length"));
        missing = (withBody ? length : 0) - (head.length - end - 4);
      } else {
        missing -= chunk.length;
      }
      if (missing <= 0) done();
    };
    socket.on("data", onData).on("close", onClose).on("error", done);
    socket.write(request);
  });
}
