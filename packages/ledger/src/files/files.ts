/**
 * The few file operations that a log needs, injectable so that every failure can be tested.
 *
 * Paths are the operating system's. Every method rejects with the system's own error (`code` such as ENOSPC or EIO).
 */
export interface Files {
  /** `read` needs the file to exist; `write` reads and writes and creates it when absent. */
  open(path: string, mode: "read" | "write"): Promise<OpenFile>;
  /** The whole file, or undefined when there is none. For small files only. */
  readWhole(path: string): Promise<Uint8Array | undefined>;
  /** Atomically replaces `to`. Durable only after the directory was synced. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; no error when it is absent. */
  remove(path: string): Promise<void>;
  /** Names in a directory, sorted; empty when there is no such directory. */
  list(directory: string): Promise<string[]>;
  /** Creates a directory and its parents, durably. */
  makeDirectory(directory: string): Promise<void>;
  /** Opens a directory so that renames and new files in it can be made durable. */
  openDirectory(directory: string): Promise<OpenDirectory>;
  /** Takes the folder for this process, or rejects with LedgerError `locked`. */
  lock(directory: string): Promise<FolderLock>;
}

export interface OpenFile {
  /** Fills `into` from `position` (bytes); returns how many bytes there were before the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(length: number): Promise<void>;
  /** Makes the contents and the length durable. */
  sync(): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface OpenDirectory {
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FolderLock {
  release(): Promise<void>;
}
