import type { Clock } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import type { RequestLimitOptions } from "../http/request-limits.ts";
import type { Logger } from "../operation/logger.ts";
import type { OutsideRegistrySettings } from "../outside-registry.ts";

export interface PlaneOptions {
  /** Folder of this plane alone; created when absent. */
  readonly dir: string;
  /** What the plane is called in its origins: a schema-less URL, such as `tally.example/hospital`. Fixed at the first start. */
  readonly name: string;
  /** Default 127.0.0.1. Anything but loopback needs TLS, or `insecureHttp`. */
  readonly host?: string;
  /** Default 0: a free port. */
  readonly port?: number;
  /** Listens at this path alone, in place of host and port: for a program of this machine that needs no network. */
  readonly socket?: string;
  /** C2SP tlog-policy text: `witness` lines with URLs, `quorum`. Default `quorum none`: times are then the plane's word. */
  readonly witnessPolicy?: string;
  /** An outside registry in the place of the built-in one; "built-in" to go back from one. */
  readonly registry?: OutsideRegistrySettings | "built-in";
  /** Policy names of witnesses known to lie or gone for good: not asked, and not counted on either side. Logged at each start. */
  readonly insecureIgnoreWitnesses?: readonly string[];
  /** Goes on without the witnesses that the folder was last used with. What they know that this folder does not is then forked. */
  readonly insecureNoWitnesses?: boolean;
  /** After a restore without witnesses: signs before every device has shown what it holds. */
  readonly insecureSignWithoutDevices?: boolean;
  /** Needed once, for a new folder with witnesses: an empty folder could also be a lost one. */
  readonly init?: boolean;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  readonly insecureHttp?: boolean;
  /** Milliseconds between seals; default 1000. */
  readonly sealIntervalMs?: number;
  /** Milliseconds in which a request's body has to be there; default 30,000. */
  readonly bodyTimeoutMs?: number;
  /** Milliseconds in which a request's headers have to be there; default 15,000. */
  readonly headersTimeoutMs?: number;
  /** Rate of one caller, and requests at a time. */
  readonly requests?: RequestLimitOptions;
  /** Milliseconds that requests under way are given at the end; default 30,000. */
  readonly shutdownMs?: number;
  /** Open connections at a time; default 10,000. */
  readonly maxConnections?: number;
  /** Bytes that one device may store in a day as blobs and segments, beside its ledger; default 16 GiB. */
  readonly deviceBytesPerDay?: number;
  /** Where structured logs go; default nowhere. */
  readonly logger?: Logger;
  /** Makes the page of `GET /verify`, when somebody first asks and the folder holds no `verify.html`. */
  readonly verifyPage?: () => Promise<Uint8Array>;
  /** Structured logs on stdout. */
  readonly log?: boolean;
  readonly clock?: Clock;
}

export const defaultHost = "127.0.0.1";
export const noWitnesses = "quorum none\n";

/** @throws PlaneError `configuration` for options that cannot hold, whatever is in the folder. */
export function checkOptions({ name, host = defaultHost, tls, insecureHttp }: PlaneOptions): void {
  if (!/^[a-z0-9][a-z0-9.-]*(\/[a-z0-9][a-z0-9._-]*)*$/.test(name) || name.length > 128) {
    throw new PlaneError("configuration", `"${name}" cannot be a plane's name`, {
      hint: "write a schema-less URL in lower case, such as tally.example/hospital",
    });
  }
  const loopback = host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
  if (tls !== undefined || loopback || insecureHttp === true) return;
  throw new PlaneError("configuration", `plain HTTP on ${host} would show tokens to the network`, {
    hint: "give a certificate and its key, listen on 127.0.0.1, or allow it with --insecure-http",
  });
}
