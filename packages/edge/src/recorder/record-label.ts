import { decodeEntry, type RecordReference } from "@tally/evidence";
import type { Appended } from "@tally/ledger";
import { asSalted, type CanonicalContent, commitTo } from "../content.ts";
import { type DeviceCore, whenRoom } from "../device-core.ts";
import { sealedOverhead, sealPayload } from "./payload-cipher.ts";
import { whileRecording } from "./record-output.ts";
import type { Salt } from "./salt-derivation.ts";

/** Ground truth or a correction for a record, of this ledger or another. */
export interface GivenLabel {
  readonly record: RecordReference;
  readonly content: CanonicalContent;
  /** Key id of who says so, lower-case hex of 4 to 32 bytes. */
  readonly who: string;
}

/** Records a label and resolves when it is as safe as the release mode says. Labels accumulate; none replaces another. */
export function recordLabel(core: DeviceCore, label: GivenLabel): Promise<Appended> {
  return whileRecording(core.salts, write(core, label));
}

async function write(core: DeviceCore, { record, content, who }: GivenLabel): Promise<Appended> {
  const { recorder, gate, autoSeal, config, payloads } = core;
  const [salt] = await takeSalt(core, record);
  const label = asSalted(commitTo("label", content, salt!));
  const { appended, written } = await whenRoom(core, () => {
    const { origin, index, leaf: leafHash } = record;
    const appended = recorder.note({ kind: "label", origin, index, leafHash, label, who });
    const { mediaType, bytes } = content;
    if (config.capture === "none" || !payloads.hasRoomFor(bytes.length + sealedOverhead)) return { appended };
    const payload = { index: appended.index, role: "label", slot: label.slot, mediaType, bytes } as const;
    return { appended, written: payloads.append([sealPayload(payload, salt!.key)]).catch(() => {}) };
  });
  autoSeal.watch(appended.committed);
  await Promise.all([gate.release(appended, undefined), written]);
  return appended;
}

/** What is said of a record of this ledger is about the same subject, and is erased with it. */
async function takeSalt({ ledger, salts }: DeviceCore, { origin, index }: RecordReference): Promise<Salt[]> {
  if (origin !== ledger.origin || index >= ledger.nextIndex) return salts.take(1);
  if (index >= ledger.size) await ledger.flush();
  const about = decodeEntry(await ledger.entry(index));
  return about.kind === "inference" ? salts.takeBeside(about.input.slot, 1) : salts.take(1);
}
