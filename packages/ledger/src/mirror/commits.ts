import type { SignedCheckpoint } from "../checkpoint-file.ts";
import type { Conflict } from "../conflicts/conflict.ts";
import { commitPackages } from "./commit-packages.ts";
import type { Upload } from "./upload.ts";
import { MAX_REQUEST_PACKAGES } from "./upload-body.ts";
import type { VerifiedPackage } from "./verify-package.ts";

/** Verified packages are stored together from this many bytes on: an fsync for each of them would cost more than hashing. */
const COMMIT_BYTES = 1024 * 1024;

/** Gathers the packages of one upload into commits, of which one is under way at a time. */
export class Commits {
  readonly #upload: Upload;
  readonly #tree: SignedCheckpoint;
  #batch: VerifiedPackage[] = [];
  #bytes = 0;
  #running: Promise<void> = Promise.resolve();
  /** Packages that are durable, or were before. */
  saved = 0;
  /** Set once a package convicts its log: nothing after it is stored. */
  conflict: Conflict | undefined;

  constructor(upload: Upload, tree: SignedCheckpoint) {
    this.#upload = upload;
    this.#tree = tree;
  }

  /** Takes a package; waits only while the commit before the next one is not done. Rejects with what storing failed of. */
  async add(verified: VerifiedPackage): Promise<void> {
    this.#batch.push(verified);
    this.#bytes += verified.packed.bytes.length;
    if (this.#bytes >= COMMIT_BYTES || this.#batch.length === MAX_REQUEST_PACKAGES) await this.#commit();
  }

  /** Resolves when all that was taken is stored. */
  async finish(): Promise<void> {
    await this.#commit();
    await this.#running;
  }

  /** Resolves when nothing is being stored, however that ended. */
  async idle(): Promise<void> {
    await this.#running.catch(() => {});
  }

  async #commit(): Promise<void> {
    await this.#running;
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    if (batch.length === 0 || this.conflict !== undefined) return;
    const { folder, inspect } = this.#upload;
    this.#running = folder.queue.run(async () => {
      this.conflict = await commitPackages(folder, batch, this.#tree, inspect);
      this.saved += batch.length;
    });
    // Whoever waits for it next hears of the failure.
    this.#running.catch(() => {});
  }
}
