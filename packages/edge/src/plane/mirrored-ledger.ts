import {
  asHash,
  asRootHash,
  type Checkpoint,
  decodeEntryBundle,
  entriesPath,
  equalBytes,
  Frontier,
  type Hash,
  hashLeaf,
  type KeySet,
  parseCheckpoint,
  type RootHash,
  rangeProofNodes,
  tileWidth,
  verifyAllOf,
  verifyRange,
} from "@tally/evidence";
import { originHash } from "@tally/ledger";
import { EdgeError, messageOf } from "../error.ts";
import { askPlane, findAtPlane, type TokenSource } from "./http.ts";
import { TileNodes } from "./tile-nodes.ts";

/** Bytes of an entry bundle at most: 256 entries of 64 KiB with their lengths. */
const mostBundleBytes = 17 * 1024 * 1024;

export interface MirroredLedgerOptions {
  /** Base URL of the plane. */
  readonly url: string;
  readonly session: TokenSource;
  readonly origin: string;
  /** The device's own keys, and those before them: what the plane shows of the ledger counts only under one of these sets. */
  readonly keySets: readonly KeySet[];
  readonly signal?: AbortSignal;
}

/** The heads that the plane holds of a ledger, each signed with the device's own keys. */
export interface MirroredHeads {
  /** The newest that the plane took. */
  readonly pending: Checkpoint;
  /** The newest of which it has every entry; undefined before the first. */
  readonly mirrored: Checkpoint | undefined;
}

/**
 * This device's own ledger, as its plane holds it. Nothing is believed: heads are verified with the device's own keys,
 * entries and nodes against such a head.
 *
 * Methods throw EdgeError `unreachable`, `plane-refused`, and `plane-untrusted` for what does not verify.
 */
export class MirroredLedger {
  readonly #options: MirroredLedgerOptions;

  constructor(options: MirroredLedgerOptions) {
    this.#options = options;
  }

  /** Undefined where the plane has taken nothing yet. */
  async heads(): Promise<MirroredHeads | undefined> {
    const pending = await this.#checkpoint("witness");
    if (pending === undefined) return undefined;
    return { pending, mirrored: await this.#checkpoint("mirror") };
  }

  /** The root that the tree of `head` had at `size`, proven by the head's own root. */
  async rootAt(size: number, head: Checkpoint): Promise<RootHash> {
    const { node } = this.#nodes(head);
    const { left, right } = rangeProofNodes(size, size, head.size);
    const tree = Frontier.from(size, await nodesOf(left, node));
    const root = asRootHash(tree.root());
    for (const { level, index } of right) tree.appendSubtree(level, await node(level, index));
    if (equalBytes(tree.root(), head.root)) return root;
    throw this.#untrusted(`its tiles do not give the root of size ${head.size} that this device signed`);
  }

  /** Entries [from, head.size), in packages, each proven under the head before it is handed on. */
  async *entries(from: number, head: Checkpoint): AsyncGenerator<readonly Uint8Array[]> {
    const { node } = this.#nodes(head);
    for (let at = from; at < head.size; ) {
      const bundle = Math.floor(at / tileWidth);
      const end = Math.min((bundle + 1) * tileWidth, head.size);
      const bytes = await this.#get(entriesPath(bundle, end - bundle * tileWidth));
      const { left, right } = rangeProofNodes(at, end, head.size);
      const proof = { left: await nodesOf(left, node), right: await nodesOf(right, node) };
      let entries: readonly Uint8Array[];
      try {
        entries = decodeEntryBundle(bytes).slice(at - bundle * tileWidth, end - bundle * tileWidth);
        verifyRange(at, end, head.size, entries.map(hashLeaf), proof, asHash(head.root));
      } catch (cause) {
        throw this.#untrusted(messageOf(cause), cause);
      }
      yield entries;
      at = end;
    }
  }

  #nodes({ size }: Checkpoint): TileNodes {
    return new TileNodes(size, (path) => this.#get(path));
  }

  async #checkpoint(service: "witness" | "mirror"): Promise<Checkpoint | undefined> {
    const { url, session, signal, origin } = this.#options;
    const path = `/${service}/${originHash(origin)}/checkpoint`;
    const answer = await findAtPlane(url, { method: "GET", path, session, signal });
    if (answer === undefined) return undefined;
    try {
      return this.#ownCheckpoint(answer.bytes);
    } catch (cause) {
      throw this.#untrusted(messageOf(cause), cause);
    }
  }

  #ownCheckpoint(bytes: Uint8Array): Checkpoint {
    const { origin, keySets } = this.#options;
    const { note } = parseCheckpoint(bytes);
    for (const earlier of keySets.slice(1)) {
      try {
        return verifyAllOf(note, origin, earlier);
      } catch {
        // Then by another set.
      }
    }
    return verifyAllOf(note, origin, keySets[0]!);
  }

  async #get(path: string): Promise<Uint8Array> {
    const { url, session, origin, signal } = this.#options;
    const full = `/mirror/${originHash(origin)}/${path}`;
    return (await askPlane(url, { method: "GET", path: full, session, signal, most: mostBundleBytes })).bytes;
  }

  #untrusted(why: string, cause?: unknown): EdgeError {
    return new EdgeError("plane-untrusted", `what the plane shows of ${this.#options.origin} does not hold: ${why}`, {
      cause,
      hint: "nothing of it was taken over; ask the plane's operator",
    });
  }
}

function nodesOf(
  ids: readonly { readonly level: number; readonly index: number }[],
  node: (level: number, index: number) => Promise<Hash>,
): Promise<Hash[]> {
  return Promise.all(ids.map(({ level, index }) => node(level, index)));
}
