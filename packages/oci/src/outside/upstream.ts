import { RegistryClient } from "../client/registry-client.ts";
import { Transport, type TransportOptions } from "../client/transport.ts";
import type { OutsideAddress } from "./address.ts";

/** One repository of the outside registry, as its client and as plain requests. */
export interface Upstream {
  /** What it is called there. */
  readonly name: string;
  readonly client: RegistryClient;
  readonly transport: Transport;
}

/** Registries that exchange credentials for tokens do so per repository, so each keeps what it was given. */
const mostKept = 1_000;

/** The repositories of an outside registry that were asked for last. */
export class Upstreams {
  readonly #address: OutsideAddress;
  readonly #options: Omit<TransportOptions, "url">;
  readonly #kept = new Map<string, Upstream>();

  constructor(address: OutsideAddress, options: Omit<TransportOptions, "url">) {
    this.#address = address;
    this.#options = options;
  }

  of(repository: string): Upstream {
    const kept = this.#kept.get(repository) ?? this.#open(repository);
    this.#kept.delete(repository);
    this.#kept.set(repository, kept);
    if (this.#kept.size > mostKept) this.#kept.delete(this.#kept.keys().next().value!);
    return kept;
  }

  #open(repository: string): Upstream {
    const { origin, prefix } = this.#address;
    const name = prefix + repository;
    const options = { ...this.#options, url: origin };
    return { name, client: new RegistryClient({ ...options, repository: name }), transport: new Transport(options) };
  }
}
