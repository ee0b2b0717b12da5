import { asRootHash, decodeEntry, type ReceiptSigner, signCoseReceipt } from "@tally/evidence";
import { PlaneError } from "../error.ts";
import type { AuditSource } from "./source.ts";

/**
 * A record's receipt in the form of RFC 9942: inclusion in the device's ledger as the plane has it mirrored, signed with the Ed25519 key
 * of the plane's log. Only for what a cosigned heads entry covers, as the receipts that are bundles.
 *
 * @throws PlaneError `not-ready`, `not-found`
 */
export async function coseReceipt(
  source: AuditSource,
  origin: string,
  index: number,
  signer: ReceiptSigner,
): Promise<Uint8Array> {
  const newest = await source.newest();
  const heads = newest && (await source.lastHeadsBelow(newest.size));
  const leaf = heads === undefined ? undefined : (await source.headsLeaves(heads)).find((own) => own.origin === origin);
  const log = source.mirror(origin);
  if (leaf === undefined || log === undefined || index >= leaf.mirroredSize) {
    throw new PlaneError("not-found", `no cosigned head covers entry ${index} of ${origin} yet`, {
      hint: "sync the device, wait for the next checkpoint of the plane, and ask again",
    });
  }
  const { kind } = decodeEntry(await log.entry(index));
  if (kind !== "inference") {
    throw new PlaneError("not-found", `entry ${index} of ${origin} is ${kind}, not a record`);
  }
  const size = leaf.mirroredSize;
  const proof = await log.inclusionProof(index, size);
  const receipt = { issuer: source.log.origin, subject: origin, index, size, proof };
  return signCoseReceipt(receipt, asRootHash(leaf.mirroredRoot), signer);
}
