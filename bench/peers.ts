// What a record is compared with: the same duty done in a plainer way.

import { generateKeyPairSync, hash, sign } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

/**
 * Signs each record by itself: digests of input and output in a line of JSON, Ed25519 over it, append, fsync. No salt, no
 * tree, no order that could be proven.
 */
export class SignAndSync {
  readonly #file: FileHandle;
  readonly #key = generateKeyPairSync("ed25519").privateKey;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<SignAndSync> {
    return new SignAndSync(await open(path, "a"));
  }

  async record(input: Uint8Array, output: Uint8Array): Promise<void> {
    const body = JSON.stringify({ time: Date.now(), input: hash("sha256", input), output: hash("sha256", output) });
    const signature = sign(null, Buffer.from(body), this.#key).toString("base64");
    await this.#file.appendFile(`${body} ${signature}\n`);
    await this.#file.datasync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
