import type { RecordReference } from "@tally/evidence";
import type { Appended } from "@tally/ledger";
import { type CanonicalContent, commitTo } from "../content.ts";
import { type DeviceCore, sealWhenDue, whenRoom } from "../device-core.ts";

/** Ground truth or a correction for a record, of this ledger or another. */
export interface GivenLabel {
  readonly record: RecordReference;
  readonly content: CanonicalContent;
  /** Key id of who says so, lower-case hex of 4 to 32 bytes. */
  readonly who: string;
}

/** Records a label and resolves when it is as safe as the release mode says. Labels accumulate; none replaces another. */
export async function recordLabel(core: DeviceCore, { record, content, who }: GivenLabel): Promise<Appended> {
  const { recorder, salts, gate, config, payloads } = core;
  const [salt] = await salts.take(1);
  const label = commitTo("label", content, salt!);
  const { appended, written } = await whenRoom(core, () => {
    const { origin, index, leaf: leafHash } = record;
    const appended = recorder.note({ kind: "label", origin, index, leafHash, label, who });
    const { mediaType, bytes } = content;
    const isCaptured = config.capture === "full" && payloads.hasRoomFor(bytes.length);
    const payload = { index: appended.index, role: "label", slot: label.slot, mediaType, bytes } as const;
    return { appended, written: isCaptured ? payloads.append([payload]).catch(() => {}) : undefined };
  });
  await Promise.all([gate.pass(appended), written]);
  sealWhenDue(core);
  return appended;
}
