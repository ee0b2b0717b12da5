import {
  type Digest,
  type Envelope,
  EvidenceError,
  type Inventory,
  openPlaneCheckpoint,
  type ProvenTime,
  parseEnvelope,
  parseInventory,
  type Trust,
  type TrustedIdentity,
  utf8,
  verifyEnvelope,
  whyNot,
} from "@tally/evidence";
import { type Carried, type CarriedRoot, OciError } from "@tally/oci";
import type { CarryCheck } from "./carry-check.ts";
import type { Evidence } from "./evidence.ts";
import { inventoryArtifactType } from "./export-inventory.ts";

/** The signed list of what was sent, as far as one counts. */
export interface CheckedInventory {
  readonly checks: readonly CarryCheck[];
  /** Of somebody who may export; undefined where no inventory counts. */
  readonly inventory: Inventory | undefined;
  /** The envelope. */
  readonly digest: Digest | undefined;
  /** The artifact in which it was carried. */
  readonly artifact: Digest | undefined;
  readonly signedBy: TrustedIdentity | undefined;
}

/** An envelope around as many manifests as one statement can name. */
const largestEnvelope = 32 * 1024 * 1024;

export function isInventory({ artifactType }: { readonly artifactType?: string }): boolean {
  return artifactType === inventoryArtifactType;
}

/**
 * Holds the layout against the inventory that was signed where it was made, and names what is missing, added or called something
 * else. It is required where the trust file names somebody who may export: leaving the inventory out is otherwise all that a
 * carrier needs.
 */
export async function checkInventory(carried: Carried, trust: Trust, now: number): Promise<CheckedInventory> {
  const checks: CarryCheck[] = [];
  const none = { checks, inventory: undefined, digest: undefined, artifact: undefined, signedBy: undefined };
  const required = trust.identities.some(({ may }) => may.includes("export"));
  const note: Note = (about, result, reason) =>
    void checks.push({ name: "inventory", about, result, reason, required });
  const [artifact, ...others] = [...carried.manifests.values()]
    .filter(isInventory)
    .map(({ digest }) => digest as Digest);
  if (artifact === undefined) {
    note("signed list", "not made", "none came with it: what was taken out on the way is not known");
    return none;
  }
  if (others.length > 0) {
    note(artifact, "bad", `${others.length + 1} of them came: these are parts of several exports`);
    return none;
  }
  try {
    const envelope = await envelopeOf(carried, artifact);
    const inventory = parseInventory(envelope.statement);
    const { notBefore, ...asOf } = youngest(inventory, trust);
    checks.push(asOf);
    const signer = signerOf(envelope, inventory, trust, { atMs: now, notBeforeMs: notBefore }, note);
    if (signer === undefined) return none;
    const { models, segments } = inventory.asked;
    note(
      envelope.digest,
      "good",
      `${signer.name} signed it; asked for ${models.join(", ")}${segments ? " with segments" : ""}`,
    );
    for (const found of differences(carried, artifact, inventory)) note(found.about, "bad", found.reason);
    for (const { what, name, reason } of inventory.missing)
      checks.push({ name: "left out", about: `${what} ${name}`, result: "not made", reason, required: false });
    return { checks, inventory, digest: envelope.digest, artifact, signedBy: signer };
  } catch (error) {
    if (!(error instanceof OciError) && !(error instanceof EvidenceError)) throw error;
    note(artifact, "bad", error.message);
    return none;
  }
}

/** By the fleet log of the evidence that came along: the newest revocations that are known here. */
export function checkRevocation(
  { inventory, signedBy, digest }: CheckedInventory,
  evidence: readonly Evidence[],
  trust: Trust,
): CarryCheck | undefined {
  if (inventory === undefined || signedBy === undefined) return undefined;
  if (!evidence.some(({ revokedKeys }) => revokedKeys.has(signedBy.keyId))) return undefined;
  const required = trust.identities.some(({ may }) => may.includes("export"));
  const reason = `the key of ${signedBy.name} is revoked, and nothing proves the inventory to be older`;
  return { name: "inventory", about: digest!, result: "bad", reason, required };
}

async function envelopeOf(carried: Carried, artifact: Digest): Promise<Envelope> {
  const { manifest } = await carried.manifest(artifact);
  const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
  if (layer === undefined || layer.size > largestEnvelope) throw new OciError("layout-invalid", "it holds no envelope");
  return parseEnvelope(Buffer.concat(await Array.fromAsync(carried.blob(layer))));
}

type Note = (about: string, result: CarryCheck["result"], reason: string) => void;

/** Somebody who may export all of these repositories now: nothing proves when it was signed, but that it is no older than its checkpoint. */
function signerOf(
  envelope: Envelope,
  inventory: Inventory,
  trust: Trust,
  time: ProvenTime,
  note: Note,
): TrustedIdentity | undefined {
  const { plane, roots } = inventory;
  const signers = verifyEnvelope(envelope, trust.identities);
  if (signers.length === 0) {
    note(envelope.digest, "not made", "nobody of the trust file signed it");
    return undefined;
  }
  if (plane !== trust.plane.name) {
    note(envelope.digest, "bad", `it is of ${plane}, and the trust file of ${trust.plane.name}`);
    return undefined;
  }
  let why = "";
  for (const signer of signers) {
    const reasons = roots.map(({ repository }) => whyNot(signer, { action: "export", repository, ...time }));
    const found = reasons.find((reason) => reason !== undefined);
    if (found === undefined) return signer;
    why = `${signer.name} ${found}`;
  }
  note(envelope.digest, "not made", `its signature does not count: ${why}`);
  return undefined;
}

/** The checkpoint in it says how old it can be. */
function youngest(
  { checkpoint, created }: Inventory,
  trust: Trust,
): CarryCheck & { readonly notBefore: number | null } {
  const said = `made ${new Date(created).toISOString()} by the clock there`;
  const check = { name: "as of", about: "inventory", required: false } as const;
  try {
    const { notBefore, checkpoint: under } = openPlaneCheckpoint(utf8(checkpoint), trust);
    const proven = notBefore === null ? "" : `, proven to be younger than ${new Date(notBefore).toISOString()}`;
    return {
      ...check,
      result: "good",
      reason: `${said}${proven}, at ${under.size} entries of the plane's log`,
      notBefore,
    };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { ...check, result: "not made", reason: `${said}; ${error.message}`, notBefore: null };
  }
}

function* differences(
  carried: Carried,
  artifact: Digest,
  { manifests, roots }: Inventory,
): Generator<{ readonly about: string; readonly reason: string }> {
  const sent = new Set<string>([artifact]);
  for (const { digest, name = "a manifest" } of manifests) {
    sent.add(digest);
    if (!carried.manifests.has(digest))
      yield { about: digest, reason: `${name} is missing: it was taken out on the way` };
  }
  for (const digest of carried.manifests.keys()) {
    if (!sent.has(digest)) yield { about: digest, reason: "it was added on the way: the inventory does not name it" };
  }
  const named = Map.groupBy(roots, ({ manifest }) => manifest as string);
  for (const root of carried.roots) {
    if (root.digest === artifact) continue;
    const expected = namesAsText(named.get(root.digest) ?? []);
    const actual = namesAsText(root.names);
    if (sent.has(root.digest) && actual !== expected)
      yield {
        about: root.digest,
        reason: `the layout calls it ${actual || "nothing"}, and the inventory ${expected || "nothing"}`,
      };
  }
}

function namesAsText(names: CarriedRoot["names"]): string {
  return names
    .map(({ repository = "?", tag }) => (tag === undefined ? repository : `${repository}:${tag}`))
    .sort()
    .join(", ");
}
