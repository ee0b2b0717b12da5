import { join } from "node:path";

/** Where a device keeps what it has. Everything lies below one folder, so a device is moved or destroyed as one. */
export interface DeviceFolder {
  readonly root: string;
  /** Private keys, PEM, readable by their owner only. */
  readonly keys: string;
  readonly journal: string;
  readonly salts: string;
  /** Payloads that capture policy keeps until they are packed in a segment. */
  readonly payloads: string;
  /** One folder per model, named by the hex of its manifest digest. */
  readonly models: string;
  readonly state: string;
  readonly config: string;
  readonly trust: string;
}

export function deviceFolder(root: string): DeviceFolder {
  return Object.freeze({
    root,
    keys: join(root, "keys"),
    journal: join(root, "journal"),
    salts: join(root, "salts"),
    payloads: join(root, "payloads"),
    models: join(root, "models"),
    state: join(root, "state"),
    config: join(root, "config.json"),
    trust: join(root, "trust.json"),
  });
}
