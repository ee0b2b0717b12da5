import { basename } from "node:path";
import { type Files, nodeFiles, type OpenFile } from "../files/index.ts";

/** Operations that change or sync something, and those that only look. */
export type FaultyOperation =
  | "write"
  | "sync"
  | "truncate"
  | "rename"
  | "remove"
  | "sync-directory"
  | "make-directory"
  | "open"
  | "read"
  | "size"
  | "close"
  | "list"
  | "lock";

/** Decides for each operation whether it fails, and with which of the system's codes. */
export type FaultPlan = (operation: FaultyOperation, file: string) => "EIO" | "ENOSPC" | undefined;

/** The real file system, with operations that fail as planned. A failing write leaves half of its bytes behind. */
export function faultyFiles(plan: FaultPlan): Files {
  const check = (operation: FaultyOperation, path: string): void => {
    const code = plan(operation, basename(path));
    if (code === undefined) return;
    throw Object.assign(new Error(`${code}: injected, ${operation} ${basename(path)}`), { code });
  };
  const attempt = async <T>(operation: FaultyOperation, path: string, act: () => Promise<T>): Promise<T> => {
    check(operation, path);
    return act();
  };
  /** A handle is gone after close(2), whatever it answers. */
  const close = async (path: string, act: () => Promise<void>): Promise<void> => {
    await act();
    check("close", path);
  };
  return {
    async open(path, mode) {
      check("open", path);
      const file = await nodeFiles.open(path, mode);
      const faulty: OpenFile = {
        read: (into, position) => attempt("read", path, () => file.read(into, position)),
        write: async (bytes, position) => {
          try {
            check("write", path);
          } catch (error) {
            await file.write(bytes.subarray(0, bytes.length >> 1), position);
            throw error;
          }
          await file.write(bytes, position);
        },
        truncate: (length) => attempt("truncate", path, () => file.truncate(length)),
        sync: () => attempt("sync", path, () => file.sync()),
        size: () => attempt("size", path, () => file.size()),
        close: () => close(path, () => file.close()),
      };
      return faulty;
    },
    readWhole: (path) => attempt("read", path, () => nodeFiles.readWhole(path)),
    rename: (from, to) => attempt("rename", to, () => nodeFiles.rename(from, to)),
    remove: (path) => attempt("remove", path, () => nodeFiles.remove(path)),
    list: (directory) => attempt("list", directory, () => nodeFiles.list(directory)),
    makeDirectory: (directory) => attempt("make-directory", directory, () => nodeFiles.makeDirectory(directory)),
    async openDirectory(directory) {
      check("open", directory);
      const open = await nodeFiles.openDirectory(directory);
      return {
        sync: () => attempt("sync-directory", directory, () => open.sync()),
        close: () => close(directory, () => open.close()),
      };
    },
    lock: (directory) => attempt("lock", directory, () => nodeFiles.lock(directory)),
  };
}

/** A disk that is full still reads. */
const READS: readonly FaultyOperation[] = ["read", "size", "list", "close", "lock"];

/** Lets exactly the operation number `at` fail, counted while armed; with ENOSPC of those that can want for room. */
export class OneFault {
  readonly #at: number;
  readonly #code: "EIO" | "ENOSPC";
  #count = 0;
  #armed = false;
  /** What failed, such as `sync entries`; undefined while nothing has. */
  fired: string | undefined;

  constructor(at: number, code: "EIO" | "ENOSPC", armed = true) {
    this.#at = at;
    this.#code = code;
    this.#armed = armed;
  }

  arm(): void {
    this.#armed = true;
  }

  disarm(): void {
    this.#armed = false;
  }

  readonly plan: FaultPlan = (operation, file) => {
    if (!this.#armed || (this.#code === "ENOSPC" && READS.includes(operation))) return undefined;
    this.#count += 1;
    if (this.#count !== this.#at + 1) return undefined;
    this.fired = `${operation} ${file}`;
    return this.#code;
  };
}
