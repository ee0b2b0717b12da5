import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { generatePrivateKeyPem, type KeySet, noteSignerFromPem } from "@tally/evidence";
import { discardRest, Mirror, type ProtocolResponse, requestBody } from "@tally/ledger";

/** A mirror of one log, behind HTTP on loopback. */
export async function serveMirror(
  dir: string,
  origin: string,
  keySet: KeySet,
): Promise<{ url: string; close(): Promise<void> }> {
  const cosigner = (name: string) => [noteSignerFromPem(name, 4, generatePrivateKeyPem("ed25519"))];
  const mirror = await Mirror.open({
    dir,
    witness: cosigner("tally.soak/witness"),
    mirror: cosigner("tally.soak/mirror"),
    keySet: (asked) => (asked === origin ? keySet : undefined),
    onConflict: async () => {},
  });
  const server = createServer((request, response) => {
    answer(mirror, request).then(
      ({ status, headers, body }) => {
        response.writeHead(status, headers).end(body);
        discardRest(request);
      },
      (error: unknown) => {
        response.writeHead(500).end(String(error));
        discardRest(request);
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await mirror.close();
    },
  };
}

async function answer(mirror: Mirror, request: IncomingMessage): Promise<ProtocolResponse> {
  const body = requestBody(request);
  if (request.url === "/add-checkpoint") return mirror.addCheckpoint(Buffer.concat(await Array.fromAsync(body)));
  return mirror.addEntries(body);
}
