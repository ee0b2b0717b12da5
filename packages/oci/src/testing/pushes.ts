// What clients do to a registry, for tests: the requests of the distribution specification, one function each.

import type { Descriptor } from "../artifact/descriptor.ts";
import { describe, emptyBytes } from "../artifact/descriptor.ts";
import { encodeImageIndex, encodeImageManifest } from "../artifact/manifest.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { contentDigestOf } from "../storage/content-digest.ts";

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A registry seen through HTTP. */
export class Pusher {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  request(method: string, path: string, body?: Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}/v2/${path}`, { method, headers, body: (body as BodyInit | undefined) ?? null });
  }

  blob(repository: string, content: Uint8Array): Promise<Response> {
    return this.request("POST", `${repository}/blobs/uploads/?digest=${contentDigestOf(content)}`, content);
  }

  mount(repository: string, digest: string, from: string): Promise<Response> {
    return this.request("POST", `${repository}/blobs/uploads/?mount=${digest}&from=${from}`);
  }

  manifest(repository: string, reference: string, bytes: Uint8Array, type: string): Promise<Response> {
    return this.request("PUT", `${repository}/manifests/${reference}`, bytes, { "Content-Type": type });
  }

  /** An image of one layer with its blobs; by its digest alone where no tag is given. */
  async image(repository: string, text: string, more: { tag?: string; subject?: Descriptor } = {}) {
    const layer = describe("application/vnd.example", utf8(text));
    for (const content of [emptyBytes, utf8(text)]) {
      const { status } = await this.blob(repository, content);
      if (status !== 201) throw new Error(`a blob was answered with ${status}`);
    }
    const made = encodeImageManifest({
      artifactType: "application/vnd.example",
      layers: [layer],
      ...(more.subject && { subject: more.subject }),
    });
    const reference = more.tag ?? made.descriptor.digest;
    const response = await this.manifest(repository, reference, made.bytes, mediaTypes.imageManifest);
    return { ...made, layer, response };
  }

  async index(repository: string, manifests: readonly Descriptor[], tag?: string) {
    const made = encodeImageIndex(manifests);
    const reference = tag ?? made.descriptor.digest;
    return { ...made, response: await this.manifest(repository, reference, made.bytes, mediaTypes.imageIndex) };
  }

  async status(method: string, path: string): Promise<number> {
    const response = await this.request(method, path);
    await response.arrayBuffer();
    return response.status;
  }

  has(repository: string, digest: string, what: "manifests" | "blobs" = "manifests"): Promise<boolean> {
    return this.status("GET", `${repository}/${what}/${digest}`).then((status) => status === 200);
  }
}

/** The error of an answer that is one. */
export async function errorOf(response: Response): Promise<{ status: number; code: string; message: string }> {
  const { errors } = (await response.json()) as { errors: { code: string; message: string }[] };
  return { status: response.status, ...errors[0]! };
}
