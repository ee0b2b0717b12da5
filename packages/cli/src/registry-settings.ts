import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { OutsideRegistrySettings } from "@tally/plane";
import { say, type Terminal, usageError } from "./terminal/index.ts";

export interface RegistryFlags {
  readonly registry?: string;
  readonly registryAuth?: string;
  readonly registryRealm?: readonly string[];
  readonly insecureHttp?: boolean;
}

type Credentials = NonNullable<OutsideRegistrySettings["credentials"]>;

/**
 * The outside registry of `--registry` or `TALLY_REGISTRY`, with what it takes to log in. The
 * credentials come from a file or from the environment, never from an argument: other users see those.
 *
 * @throws CliError usage
 */
export async function registrySettings(
  terminal: Terminal,
  flags: RegistryFlags,
): Promise<OutsideRegistrySettings | "built-in" | undefined> {
  const url = flags.registry ?? terminal.env.TALLY_REGISTRY;
  if (url === undefined || url === "") {
    const left = flags.registryAuth !== undefined ? "--registry-auth" : flags.registryRealm && "--registry-realm";
    if (left) throw usageError(`${left} is for an outside registry, and none is named`, "add --registry URL");
    return undefined;
  }
  if (url === "built-in") return url;
  const credentials = await credentialsFor(url, terminal, flags);
  return {
    url,
    ...(credentials && { credentials }),
    ...(flags.registryRealm && { realms: flags.registryRealm }),
    ...(flags.insecureHttp === true && { insecureHttp: true }),
  };
}

async function credentialsFor(
  url: string,
  terminal: Terminal,
  { registryAuth }: RegistryFlags,
): Promise<Credentials | undefined> {
  const { env, cwd } = terminal;
  const path = registryAuth ?? env.TALLY_REGISTRY_AUTH;
  const { TALLY_REGISTRY_USERNAME: username, TALLY_REGISTRY_PASSWORD: token } = env;
  if (path === undefined || path === "") {
    if ((username === undefined) !== (token === undefined)) {
      throw usageError("TALLY_REGISTRY_USERNAME and TALLY_REGISTRY_PASSWORD go together");
    }
    return username === undefined || token === undefined ? undefined : { username, token };
  }
  const file = resolve(cwd, path);
  if (((await stat(file)).mode & 0o077) !== 0 && process.platform !== "win32") {
    say(terminal, `${file} can be read by other users of this machine: chmod 600 it`);
  }
  return credentialsIn(await readFile(file, "utf8"), file, hostOf(url));
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "";
}

/**
 * The credentials for a host in a file as `docker login` and `skopeo login` write it. No message repeats anything of it.
 *
 *     {"auths":{"registry.example:5000":{"auth":"<base64 of user:password>"}}}
 */
export function credentialsIn(text: string, file: string, host: string): Credentials {
  let auths: Readonly<Record<string, unknown>> | undefined;
  try {
    const value = JSON.parse(text) as { auths?: unknown } | null;
    if (typeof value?.auths === "object" && value.auths !== null) auths = value.auths as Record<string, unknown>;
  } catch {
    // A parser's message would show what stands there.
    throw usageError(`${file} is not JSON`, 'write {"auths":{"host:port":{"auth":"<base64 of user:password>"}}}');
  }
  const found = Object.entries(auths ?? {}).find(([name]) => hostIn(name) === host)?.[1];
  const read = typeof found === "object" && found !== null ? readAuth(found as Record<string, unknown>) : undefined;
  if (read !== undefined) return read;
  const why = found === undefined ? `has no credentials for ${host}` : `has no user and password for ${host}`;
  throw usageError(
    `${file} ${why}`,
    `skopeo login --authfile FILE ${host}; credential helpers and identity tokens are not read`,
  );
}

/** Docker's own entries are whole URLs. */
function hostIn(name: string): string {
  return name.replace(/^https?:\/\//, "").split("/", 1)[0]!;
}

function readAuth({ auth, username, password }: Record<string, unknown>): Credentials | undefined {
  if (typeof username === "string" && typeof password === "string" && password !== "") {
    return { username, token: password };
  }
  if (typeof auth !== "string") return undefined;
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 1 ? undefined : { username: text.slice(0, colon), token: text.slice(colon + 1) };
}
