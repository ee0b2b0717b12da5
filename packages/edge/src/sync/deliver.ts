import { type Digest, fromBase64, type OpenEntryRequest } from "@tally/evidence";
import { LedgerError, proveGrowth, type Refused, sendEntries, syncLog } from "@tally/ledger";
import type { DeviceCore } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import { askPlane, findAtPlane, jsonOf, notNow, unreachable } from "../plane/http.ts";
import type { PlaneSession } from "../plane/session.ts";
import type { SyncState } from "./sync-state.ts";

/** A ledger with its anchor, on its way to the plane. */
export interface Delivery {
  readonly core: DeviceCore;
  readonly session: PlaneSession;
  readonly signal: AbortSignal | undefined;
  readonly state: SyncState | undefined;
}

export interface Delivered {
  /** Entries that the plane holds. */
  readonly mirrored: number;
  /** Size of the newest head that it holds. */
  readonly proven: number;
  /** Blobs that entries name and that went up before them. */
  readonly blobs: readonly Digest[];
}

/** How many requests one sync meets: the next one goes on. */
const maxRequests = 64;

/** Blobs, seal, add-checkpoint, add-entries. */
export async function deliverAll(delivery: Delivery): Promise<Delivered> {
  const { core, state } = delivery;
  const { config, ledger } = core;
  const blobs = await uploadBlobs(delivery);
  const latest = await ledger.seal();
  const old = state?.proven ?? state?.mirrored ?? 0;
  const result = await asEdgeErrors(config.url, syncLog(config.url, { log: ledger, latest, old, ...asPeer(delivery) }));
  if (result.status !== "mirrored") throw whyNot(core, result);
  return { mirrored: result.size, proven: result.size, blobs };
}

/**
 * Seal and add-checkpoint: the plane then holds the head, and the entries stay here until someone asks for them. What was asked
 * for since the last sync follows, with the blobs that entries name.
 */
export async function deliverHead(delivery: Delivery): Promise<Delivered> {
  const { core, state } = delivery;
  const { config, ledger } = core;
  const latest = await ledger.seal();
  const old = state?.proven ?? state?.mirrored ?? 0;
  const growth = await asEdgeErrors(
    config.url,
    proveGrowth(config.url, { log: ledger, latest, old, ...asPeer(delivery) }),
  );
  if (growth.status !== "cosigned") throw whyNot(core, growth.status === "refused" ? asked(growth) : growth);
  const proven = latest.checkpoint.size;
  let mirrored = state?.mirrored ?? 0;
  const blobs: Digest[] = [];
  for (let met = 0; met < maxRequests; met += 1) {
    const request = await openRequest(delivery);
    if (request === null) break;
    blobs.push(...(await uploadBlobs(delivery)));
    mirrored = await meet(delivery, request, proven);
  }
  return { mirrored, proven, blobs };
}

async function openRequest({ core, session, signal }: Delivery): Promise<OpenEntryRequest["request"]> {
  const path = "/api/v1/ledger/entry-request";
  const answer = await findAtPlane(core.config.url, { method: "GET", path, session, signal });
  // A plane without such requests asks for nothing.
  if (answer === undefined) return null;
  return (jsonOf(answer, "the request for entries") as unknown as OpenEntryRequest).request;
}

/** Entries up to the checkpoint that was asked for, and no further: what this device has not signed over is not asked for. */
async function meet(
  delivery: Delivery,
  { end, nextEntry, ticket }: NonNullable<OpenEntryRequest["request"]>,
  proven: number,
): Promise<number> {
  const { core } = delivery;
  const { config, ledger } = core;
  const whole = Number.isSafeInteger(end) && Number.isSafeInteger(nextEntry) && nextEntry >= 0;
  if (!whole || end > proven || typeof ticket !== "string") {
    throw new EdgeError(
      "plane-refused",
      `the plane asks for entries up to ${end} of ${proven} that this device signed`,
    );
  }
  const options = { log: ledger, start: nextEntry, end, ticket: fromBase64(ticket), ...asPeer(delivery) };
  const result = await asEdgeErrors(config.url, sendEntries(config.url, options));
  if (result.status === "mirrored") return result.size;
  if (result.status === "refused") throw whyNot(core, result);
  throw new EdgeError("plane-refused", `the plane asked for entries up to ${end} and now asks for ${result.size}`);
}

function asPeer({ session, signal }: Delivery) {
  const headers = async () => ({ authorization: `Bearer ${await session.token()}` });
  return { headers, ...(signal !== undefined && { signal }) };
}

async function uploadBlobs({ core, session, signal }: Delivery): Promise<readonly Digest[]> {
  const { outbox, config } = core;
  const digests = await outbox.list();
  for (const digest of digests) {
    await askPlane(config.url, {
      method: "PUT",
      path: `/api/v1/blobs/${digest}`,
      session,
      signal,
      body: { type: "application/octet-stream", bytes: await outbox.read(digest) },
    });
    await outbox.remove(digest);
  }
  return digests;
}

function asked(refused: Refused): Refusal {
  return { ...refused, step: "add-checkpoint" };
}

type Refusal = Refused & { readonly step: "add-checkpoint" | "add-entries" };

/** Why the plane took nothing. */
function whyNot(
  { ledger, config }: DeviceCore,
  result: Refusal | { readonly status: "behind"; readonly size: number },
): EdgeError {
  if (result.status === "behind") {
    return new EdgeError(
      "behind",
      `the plane holds ${result.size} entries of ${ledger.origin}, this folder has ${ledger.size}`,
      { hint: "another holder of these keys syncs the same ledger: stop one of them, and ask the plane's operator" },
    );
  }
  const { code, step, message } = result;
  if (notNow.includes(code)) return unreachable(config.url, message, undefined);
  // 403: kept out. 422: what was offered contradicts what the plane holds, and the plane keeps it as evidence.
  if (code !== 403 && code !== 422) {
    return new EdgeError("plane-refused", `the plane refused ${step} with status ${code}: ${message}`);
  }
  return new EdgeError("blocked", `the plane keeps ${ledger.origin} out: ${message}`, {
    hint: "the plane shows the evidence with the device; its operator decides what comes next",
  });
}

async function asEdgeErrors<T>(url: string, result: Promise<T>): Promise<T> {
  return result.catch((error: unknown) => {
    if (!(error instanceof LedgerError)) throw error;
    if (error.code === "unreachable") throw unreachable(url, error.message, error);
    throw new EdgeError(error.code === "protocol" ? "plane-refused" : "record-failed", error.message, { cause: error });
  });
}
