import { EdgeError } from "../error.ts";

/** Where the agent listens: a loopback port, or a unix socket that only its owner opens. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: "127.0.0.1" | "::1"; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/**
 * Reads `127.0.0.1:7410`, `[::1]:7410`, `localhost:7410`, `7410` or `unix:/run/tally.sock`; port 0 takes a free one.
 *
 * @throws EdgeError `listen-refused` for every other host: whoever reaches the agent can record in the device's name.
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("unix:") && text.length > "unix:".length) {
    return { kind: "unix", path: text.slice("unix:".length) };
  }
  const [, host = "127.0.0.1", port] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  const loopback = hosts[host];
  if (port === undefined || Number(port) > 65_535 || loopback === undefined) {
    throw new EdgeError("listen-refused", `the agent does not listen at ${text}`, {
      hint: "use 127.0.0.1:<port>, [::1]:<port> or unix:<path>",
    });
  }
  return { kind: "tcp", host: loopback, port: Number(port) };
}

const hosts: Readonly<Record<string, "127.0.0.1" | "::1">> = {
  "127.0.0.1": "127.0.0.1",
  localhost: "127.0.0.1",
  "[::1]": "::1",
  "::1": "::1",
};
