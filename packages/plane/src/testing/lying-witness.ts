import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { TestWitness } from "./test-plane.ts";

/** What it answers; `honest` is what the witness behind it said. */
export type WitnessAnswer = (response: ServerResponse, honest: Buffer) => void;

/** What stands between the plane and its witness, and answers as it likes. */
export class Liar {
  readonly url: string;
  /** Undefined: what the witness says. */
  answer: WitnessAnswer | undefined;
  asked = 0;
  /** Statuses of the witness behind it, as it gave them. */
  readonly statuses: number[] = [];

  private constructor(url: string) {
    this.url = url;
  }

  static async start(t: TestContext, witness: TestWitness): Promise<Liar> {
    const server = createServer((request, response) => {
      // The witness behind may be down.
      liar.#handle(witness, request, response).catch(() => response.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const liar = new Liar(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return liar;
  }

  async #handle(witness: TestWitness, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Uint8Array>));
    this.asked += 1;
    const { answer } = this;
    const behind = witness.policy.match(/http:\S+/)![0];
    const honest = await fetch(`${behind}${request.url}`, { method: "POST", body });
    const bytes = Buffer.from(await honest.arrayBuffer());
    this.statuses.push(honest.status);
    if (answer !== undefined) return answer(response, bytes);
    response.writeHead(honest.status, { "content-type": honest.headers.get("content-type") ?? "text/plain" });
    response.end(bytes);
  }
}
