import { OciError } from "../error.ts";
import type { ByteSource } from "../storage/blob-store.ts";
import { exactly } from "../storage/byte-count.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { BlobFeed } from "./blob-feed.ts";
import { requireEcho, uploadPlace } from "./push-answers.ts";
import { discard, type Reply } from "./reply.ts";
import type { Transport } from "./transport.ts";
import type { UploadNotes } from "./upload-notes.ts";

/** From here on a blob goes up in chunks, so that a broken upload can go on; below, one request is quicker. */
const worthChunks = 8 * 1024 * 1024;
/** What a registry that keeps whole chunks only loses at most; few enough requests at any size. */
const chunkSize = 128 * 1024 * 1024;
/** What may go wrong in a row without a byte arriving before an upload is given up for now; the waiting grows to some seconds. */
const mostBreaks = 6;
const mostCancels = 3;

export interface Upload {
  readonly transport: Transport;
  /** `/v2/<repository>` */
  readonly base: string;
  readonly digest: ContentDigest;
  readonly size: number;
  readonly content: ByteSource | (() => ByteSource);
  /** What this is for, in errors. */
  readonly doing: string;
  /** A repository of the same registry that may hold the blob. */
  readonly mountFrom: string | undefined;
  /** Where uploads are remembered that a later run may go on with. */
  readonly notes: UploadNotes | undefined;
}

const octets = { "Content-Type": "application/octet-stream" };

/**
 * Uploads a blob (distribution-spec, "Pushing blobs"): mounted where another repository has it, small ones in one request, large
 * ones in chunks. A broken upload goes on where the registry says it stands, in this run or, with notes, in a later one; where the
 * registry has forgotten it, it begins anew.
 */
export async function uploadBlob(upload: Upload): Promise<"sent" | "present"> {
  const { content, size } = upload;
  const again = typeof content === "function" ? content : undefined;
  if (again === undefined || size < worthChunks) return uploadWhole(upload, await begin(upload));
  return new ChunkedUpload(upload, again).run();
}

/** Where the upload goes, or undefined where the registry had the blob elsewhere and mounted it. */
async function begin({ transport, base, digest, doing, mountFrom }: Upload): Promise<URL | undefined> {
  const query = mountFrom === undefined ? "" : `?${new URLSearchParams({ mount: digest, from: mountFrom })}`;
  const url = `${base}/blobs/uploads/${query}`;
  const begun = await transport.call({ method: "POST", url, body: new Uint8Array(), doing }, 202, 201);
  await discard(begun);
  return begun.response.status === 201 ? undefined : uploadPlace(begun.response, begun.url, doing);
}

async function uploadWhole(upload: Upload, place: URL | undefined): Promise<"sent" | "present"> {
  if (place === undefined) return "present";
  const { transport, digest, size, content, doing } = upload;
  const source = typeof content === "function" ? content() : content;
  const body = source instanceof Uint8Array ? source : { stream: exactly(size, source), size };
  try {
    const url = finishing(place, digest);
    const reply = await transport.call({ method: "PUT", url, headers: octets, body, doing }, 201);
    await discard(reply);
    requireEcho(reply.response, digest);
    return "sent";
  } catch (error) {
    await abandon(transport, place);
    throw error;
  }
}

class ChunkedUpload {
  readonly #upload: Upload;
  readonly #feed: BlobFeed;
  #place: URL | undefined;
  #at = 0;

  constructor(upload: Upload, content: () => ByteSource) {
    this.#upload = upload;
    this.#feed = new BlobFeed(content, upload.size);
  }

  async run(): Promise<"sent" | "present"> {
    const { notes, digest } = this.#upload;
    try {
      const how = await this.#resumed();
      await notes?.forget(digest);
      return how;
    } catch (error) {
      if (!isPassing(error)) {
        await notes?.forget(digest);
        if (this.#place !== undefined) await abandon(this.#upload.transport, this.#place);
      }
      throw error;
    } finally {
      await this.#feed.close();
    }
  }

  async #resumed(): Promise<"sent" | "present"> {
    this.#place = await this.#upload.notes?.find(this.#upload.digest);
    if (this.#place !== undefined && !(await this.#ask())) this.#place = undefined;
    for (let breaks = 0, furthest = this.#at; ; ) {
      try {
        if (this.#place === undefined && !(await this.#begin())) return "present";
        return await this.#send();
      } catch (error) {
        if (isRefusal(error) && this.#at === 0 && breaks === 0) return await this.#whole();
        if (!canGoOn(error)) throw error;
        breaks += 1;
        await this.#stand(error, breaks);
        if (this.#place === undefined && (await this.#isThere())) return "sent";
        if (this.#at > furthest) breaks = 0;
        furthest = Math.max(furthest, this.#at);
      }
    }
  }

  /** After something broke: how far the registry came, or that it has forgotten. Throws when it cannot be asked time and again. */
  async #stand(error: unknown, breaks: number): Promise<void> {
    if (breaks >= mostBreaks) throw error;
    if (breaks > 1) await this.#upload.transport.pause(breaks);
    try {
      if (this.#place !== undefined && !(await this.#ask())) this.#forgotten();
    } catch (cause) {
      if (!isPassing(cause)) throw cause;
      await this.#stand(cause, breaks + 1);
    }
  }

  /** Sends what is missing and closes the upload. */
  async #send(): Promise<"sent"> {
    const { transport, digest, size, doing } = this.#upload;
    while (this.#at < size) {
      const end = Math.min(size, this.#at + chunkSize);
      const headers = { ...octets, "Content-Range": `${this.#at}-${end - 1}` };
      const body = { stream: this.#feed.take(this.#at, end), size: end - this.#at };
      const reply = await transport.call({ method: "PATCH", url: this.#place!, headers, body, doing }, 202);
      await this.#moved(reply);
      this.#at = end;
    }
    // The source says in its last step whether these were the right bytes.
    await this.#feed.finish();
    const url = finishing(this.#place!, digest);
    const call = { method: "PUT", url, body: new Uint8Array(), doing, patient: true } as const;
    const reply = await transport.call(call, 201);
    await discard(reply);
    requireEcho(reply.response, digest);
    return "sent";
  }

  /** Asks how far an upload came. False where the registry knows nothing of it. */
  async #ask(): Promise<boolean> {
    const { transport, doing, size } = this.#upload;
    const reply = await transport.call({ method: "GET", url: this.#place!, doing }, 204, 200, 202, 404, 400);
    const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(reply.response.headers.get("range") ?? "")?.[1];
    if (reply.response.status >= 400 || last === undefined) {
      await discard(reply);
      return false;
    }
    await this.#moved(reply);
    // "0-0" stands for nothing as well as for one byte; both are nothing worth keeping.
    this.#at = last === "0" ? 0 : Number(last) + 1;
    return this.#at <= size;
  }

  async #begin(): Promise<boolean> {
    const { notes, digest } = this.#upload;
    this.#place = await begin(this.#upload);
    this.#at = 0;
    if (this.#place !== undefined) await notes?.note(digest, this.#place);
    return this.#place !== undefined;
  }

  async #moved(reply: Reply): Promise<void> {
    const { notes, digest, doing } = this.#upload;
    await discard(reply);
    if (reply.response.headers.get("location") === null) return;
    const place = uploadPlace(reply.response, reply.url, doing);
    if (place.href === this.#place?.href) return;
    this.#place = place;
    await notes?.note(digest, place);
  }

  #forgotten(): void {
    this.#place = undefined;
    this.#at = 0;
  }

  /** The last answer may have been what was lost. */
  async #isThere(): Promise<boolean> {
    const { transport, base, digest, doing } = this.#upload;
    const reply = await transport.call({ method: "HEAD", url: `${base}/blobs/${digest}`, doing }, 200, 404);
    await discard(reply);
    return reply.response.status === 200;
  }

  /** For registries that take no chunks. */
  async #whole(): Promise<"sent" | "present"> {
    if (this.#place !== undefined) await abandon(this.#upload.transport, this.#place);
    this.#place = undefined;
    return uploadWhole(this.#upload, await begin(this.#upload));
  }
}

function finishing(place: URL, digest: ContentDigest): URL {
  const url = new URL(place);
  url.searchParams.set("digest", digest);
  return url;
}

/** Frees what the registry holds of a failed upload; it would expire by itself. */
async function abandon(transport: Transport, place: URL): Promise<void> {
  const cancel = { method: "DELETE", url: place, doing: "cancelling an upload" } as const;
  for (let tries = 0; tries < mostCancels; tries += 1) {
    try {
      return await discard(await transport.call(cancel, 204, 202, 404));
    } catch (error) {
      // It has yet to notice that the connection is gone over which the upload came.
      if (!(error instanceof OciError && error.code === "busy")) return;
      await transport.pause(tries).catch(() => undefined);
    }
  }
}

/** May go better next time, as it stands. */
function isPassing(error: unknown): boolean {
  return error instanceof OciError && ["unreachable", "aborted", "busy"].includes(error.code);
}

/**
 * The registry is asked how far it came: it was cut off, takes other credentials now, counts otherwise than we do, or still waits for
 * the rest of a request whose connection is gone.
 */
function canGoOn(error: unknown): boolean {
  const codes = ["unreachable", "unauthorized", "not-found", "range-invalid", "busy"];
  return error instanceof OciError && codes.includes(error.code);
}

function isRefusal(error: unknown): boolean {
  return error instanceof OciError && ["refused", "too-large"].includes(error.code);
}
