import { generateKeyPairSync } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { type KeySet, type NoteSigner, noteSignerFromPem } from "@tally/evidence";
import type { Clock } from "../clock.ts";
import type { Conflict } from "../conflicts/index.ts";
import type { Files } from "../files/index.ts";
import { type Admission, discardRest, type Inspector, Mirror, requestBody } from "../mirror/index.ts";
import type { ProtocolResponse } from "../witness/index.ts";

export interface TestMirrorOptions {
  readonly dir: string;
  readonly keySets: Map<string, Admission>;
  readonly inspect?: Inspector;
  readonly onMirrored?: (origin: string, size: number) => void;
  readonly clock?: Clock;
  readonly files?: Files;
  readonly maxOpenFiles?: number;
}

/** A mirror behind real HTTP on loopback. It can be stopped and started again on the same folder and with the same keys. */
export interface TestMirror {
  readonly url: string;
  readonly mirror: Mirror;
  readonly conflicts: Conflict[];
  /** Request bodies as they came, after decoding, in order. */
  readonly uploads: Uint8Array[];
  readonly witness: readonly NoteSigner[];
  readonly cosigner: readonly NoteSigner[];
  stop(): Promise<void>;
}

const WITNESS = cosignerKeys("tally.test/plane/witness");
const COSIGNER = cosignerKeys("tally.test/plane/mirror");

export async function startMirror(t: TestContext, options: TestMirrorOptions): Promise<TestMirror> {
  const { keySets, onMirrored, inspect, clock, files, maxOpenFiles } = options;
  const conflicts: Conflict[] = [];
  const uploads: Uint8Array[] = [];
  const mirror = await Mirror.open({
    dir: options.dir,
    witness: WITNESS,
    mirror: COSIGNER,
    keySet: (origin) => keySets.get(origin),
    onConflict: async (conflict) => void conflicts.push(conflict),
    ...(onMirrored && { onMirrored }),
    ...(inspect && { inspect }),
    ...(clock && { clock }),
    ...(files && { files }),
    ...(maxOpenFiles !== undefined && { maxOpenFiles }),
  });
  const server = createServer((request, response) => {
    answer(mirror, request, uploads).then(
      ({ status, headers, body }) => {
        response.writeHead(status, headers);
        response.end(body);
        discardRest(request);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  // As long as a plane's: a client that works for seconds between two requests may use its connection again.
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= (async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await mirror.close();
    })();
    return stopped;
  };
  t.after(stop);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, mirror, conflicts, uploads, witness: WITNESS, cosigner: COSIGNER, stop };
}

async function answer(mirror: Mirror, request: IncomingMessage, uploads: Uint8Array[]): Promise<ProtocolResponse> {
  const path = request.url!.slice(1);
  if (path === "add-checkpoint")
    return mirror.addCheckpoint(Buffer.concat(await Array.fromAsync(requestBody(request))));
  if (path === "add-entries") return mirror.addEntries(recorded(requestBody(request), uploads));
  return path.startsWith("witness/") ? mirror.readWitness(path.slice(8)) : mirror.read(path);
}

async function* recorded(
  body: AsyncIterable<Uint8Array>,
  uploads: Uint8Array[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const at = uploads.push(new Uint8Array(0)) - 1;
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      yield chunk;
    }
  } finally {
    uploads[at] = Buffer.concat(chunks);
  }
}

/** Keys of types 04 and 06 under one name. */
export function cosignerKeys(name: string): NoteSigner[] {
  const pem = (type: 4 | 6) => {
    const { privateKey } = type === 4 ? generateKeyPairSync("ed25519") : generateKeyPairSync("ml-dsa-44");
    return privateKey.export({ format: "pem", type: "pkcs8" }) as string;
  };
  return [noteSignerFromPem(name, 4, pem(4)), noteSignerFromPem(name, 6, pem(6))];
}

export function keySets(...sets: [origin: string, keySet: KeySet][]): Map<string, Admission> {
  return new Map(sets);
}
