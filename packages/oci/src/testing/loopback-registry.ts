// A real registry on a loopback port with a real folder, for tests.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { RegistryOptions } from "../registry/options.ts";
import { createRegistry, type Registry } from "../registry/registry.ts";
import { FileBlobStore } from "../storage/file-blob-store.ts";
import { openSqlite } from "../storage/sqlite.ts";

export async function temporaryFolder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "tally-oci-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Serves a listener on a free loopback port until the test ends. */
export async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface LoopbackRegistry {
  readonly url: string;
  readonly dir: string;
  readonly blobs: FileBlobStore;
  readonly registry: Registry;
  /** Failures that were answered with 500. */
  readonly failures: unknown[];
  /** `METHOD path` of each request so far. */
  readonly requests: string[];
}

export async function loopbackRegistry(
  t: TestContext,
  options: Partial<RegistryOptions> & {
    dir?: string;
    /** Sees each request first; true when it answered. */
    intercept?: (...exchange: Parameters<RequestListener>) => boolean;
  } = {},
): Promise<LoopbackRegistry> {
  const dir = options.dir ?? (await temporaryFolder(t));
  const blobs = new FileBlobStore(join(dir, "blobs"));
  const db = await openSqlite(join(dir, "registry.db"));
  const failures: unknown[] = [];
  const requests: string[] = [];
  const registry = createRegistry({
    blobs,
    db,
    authorize: async () => undefined,
    onError: (error) => failures.push(error),
    ...options,
  });
  const url = await serve(t, (req, res) => {
    requests.push(`${req.method} ${req.url}`);
    if (options.intercept?.(req, res) !== true) void registry.handle(req, res);
  });
  t.after(() => db.close());
  return { url, dir, blobs, registry, failures, requests };
}

/** An authorize hook: one token may do what its list says, `action repository`. */
export function tokens(rights: Record<string, readonly string[]>): RegistryOptions["authorize"] {
  return async (req: IncomingMessage, { repository, action }) => {
    const header = req.headers.authorization ?? "";
    const basic = /^Basic (.+)$/.exec(header)?.[1];
    const token =
      basic === undefined ? header.replace(/^Bearer /, "") : Buffer.from(basic, "base64").toString().split(":")[1]!;
    const allowed = Object.hasOwn(rights, token) ? rights[token] : undefined;
    if (allowed === undefined) return { status: 401, challenge: ['Basic realm="tally"'] };
    if (repository !== "" && !allowed.includes(`${action} ${repository}`)) return { status: 403 };
    return undefined;
  };
}
