import { type Digest, parseDigest, parseEnvelope, parseInventory, type Trust, verifyEnvelope } from "@tally/evidence";
import { type Carried, copyArtifact, OciError, type RegistryClient } from "@tally/oci";
import { repositoryOf } from "../artifact.ts";
import type { PlaneClient } from "../plane-client.ts";
import type { CheckedInventory } from "./check-inventory.ts";

/** What became of a delivery's number, by those that were taken in here before. */
export interface TakenDelivery {
  readonly series: string;
  readonly number: number;
  /**
   * `next`: the one before it is here, or it is the first. `missing`: those between never arrived. `again`: it is here. `older`:
   * later ones are here, and this one is not. `contradicts`: another one of this number is here, or its predecessor is another.
   */
  readonly standing: "next" | "missing" | "again" | "older" | "contradicts";
  /** The newest that is here; null at the first. */
  readonly newest: number | null;
  readonly reason: string;
}

/** Where a plane keeps what was delivered to it: one repository a series, one tag a number. */
function placeOf(client: PlaneClient, series: string): RegistryClient {
  return repositoryOf(client, `deliveries/${series}`);
}

/**
 * Looks where a delivery stands among those that this plane has taken in; undefined where it has no number. What the plane kept counts
 * as far as the same people signed it.
 */
export async function standingOf(
  client: PlaneClient,
  { inventory, digest }: CheckedInventory,
  trust: Trust,
): Promise<TakenDelivery | undefined> {
  const delivery = inventory?.delivery;
  if (delivery === undefined || digest === undefined) return undefined;
  const { series, number, previous } = delivery;
  const place = placeOf(client, series);
  const newest = await newestOf(place);
  const found = (standing: TakenDelivery["standing"], reason: string) => ({ series, number, standing, newest, reason });
  const same = await keptAs(place, number, trust);
  if (same === digest) return found("again", "it was taken in before");
  if (same !== undefined) return found("contradicts", `another delivery ${number} was taken in before, ${same}`);
  if (number === 1) return newest === null ? found("next", "the first of its series") : found("older", later(newest));
  const before = await keptAs(place, number - 1, trust);
  if (before !== undefined && before !== previous)
    return found(
      "contradicts",
      `it follows ${previous}, and the delivery ${number - 1} that was taken in here is ${before}`,
    );
  if (newest !== null && newest > number) return found("older", later(newest));
  if (before !== undefined) return found("next", `it follows ${number - 1}, which was taken in here`);
  const first = Math.min((newest ?? 0) + 1, number - 1);
  const range = first === number - 1 ? `${first}` : `${first} to ${number - 1}`;
  return found("missing", `${range} of its series never arrived here`);
}

function later(newest: number): string {
  return `later ones were taken in before, the newest ${newest}: it is an old one, or came late`;
}

/** Keeps a delivery's inventory, so that the next can be held against it. Done last: what was interrupted is taken in again. */
export async function keepDelivery(client: PlaneClient, carried: Carried, { inventory, artifact }: CheckedInventory) {
  const delivery = inventory?.delivery;
  if (delivery === undefined || artifact === undefined) return;
  await copyArtifact(carried, placeOf(client, delivery.series), artifact, { tag: `${delivery.number}` });
}

async function newestOf(place: RegistryClient): Promise<number | null> {
  let newest: number | null = null;
  try {
    for await (const tag of place.tags()) if (/^[1-9]\d{0,15}$/.test(tag)) newest = Math.max(newest ?? 0, Number(tag));
  } catch (error) {
    if (!(error instanceof OciError) || error.code !== "not-found") throw error;
  }
  return newest;
}

/** The envelope that is kept under a number; undefined where none is, or nobody of the trust file signed what is. */
async function keptAs(place: RegistryClient, number: number, trust: Trust): Promise<Digest | undefined> {
  try {
    const { manifest } = await place.resolve(`${number}`);
    const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
    if (layer === undefined) return undefined;
    const envelope = parseEnvelope(Buffer.concat(await Array.fromAsync(place.blob(layer))));
    const isKept = parseInventory(envelope.statement).delivery?.number === number;
    return isKept && verifyEnvelope(envelope, trust.identities).length > 0 ? parseDigest(layer.digest) : undefined;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "not-found" || code === "envelope-invalid" || code === "statement-invalid") return undefined;
    throw error;
  }
}
