import { basename } from "node:path";
import { type Files, nodeFiles, type OpenFile } from "../files/index.ts";

export type FaultyOperation = "write" | "sync" | "truncate" | "rename" | "sync-directory";

/** Decides for each operation whether it fails, and with which of the system's codes. */
export type FaultPlan = (operation: FaultyOperation, file: string) => "EIO" | "ENOSPC" | undefined;

/** The real file system, with operations that fail as planned. A failing write leaves half of its bytes behind. */
export function faultyFiles(plan: FaultPlan): Files {
  const attempt = async (operation: FaultyOperation, path: string, act: () => Promise<void>): Promise<void> => {
    const code = plan(operation, basename(path));
    if (code !== undefined)
      throw Object.assign(new Error(`${code}: injected, ${operation} ${basename(path)}`), { code });
    await act();
  };
  return {
    ...nodeFiles,
    async open(path, mode) {
      const file = await nodeFiles.open(path, mode);
      const faulty: OpenFile = {
        read: (into, position) => file.read(into, position),
        write: async (bytes, position) => {
          const code = plan("write", basename(path));
          if (code !== undefined) {
            await file.write(bytes.subarray(0, bytes.length >> 1), position);
            throw Object.assign(new Error(`${code}: injected, write ${basename(path)}`), { code });
          }
          await file.write(bytes, position);
        },
        truncate: (length) => attempt("truncate", path, () => file.truncate(length)),
        sync: () => attempt("sync", path, () => file.sync()),
        size: () => file.size(),
        close: () => file.close(),
      };
      return faulty;
    },
    rename: (from, to) => attempt("rename", to, () => nodeFiles.rename(from, to)),
    async openDirectory(directory) {
      const open = await nodeFiles.openDirectory(directory);
      return { sync: () => attempt("sync-directory", directory, () => open.sync()), close: () => open.close() };
    },
  };
}
