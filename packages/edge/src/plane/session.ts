import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sessionMessage, signWithPem, toBase64, utf8 } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { DeviceFolder } from "../folder/device-folder.ts";
import { asCount, asText } from "../folder/json.ts";
import { deviceKeys } from "../identity.ts";
import { readPinnedNote } from "../sync/plane-pin.ts";
import { askPlane, jsonBody, jsonOf } from "./http.ts";

/** A token is renewed when less than this is left of it. */
const marginMs = 60_000;

/**
 * The device's access to its plane: it signs a nonce with its Ed25519 key and gets a token for an hour. A token grants
 * access, never trust: whatever the plane then answers is verified as if it came from anyone.
 */
export class PlaneSession {
  readonly #url: string;
  readonly #folder: DeviceFolder;
  readonly #origin: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #token: { readonly text: string; readonly expires: number } | undefined;
  #asking: Promise<string> | undefined;

  /** @param signal gives up when it fires */
  constructor(url: string, folder: DeviceFolder, origin: string, clock: Clock, signal?: AbortSignal) {
    this.#url = url;
    this.#signal = signal;
    this.#folder = folder;
    this.#origin = origin;
    this.#clock = clock;
  }

  /** A token that holds for another minute at least. @throws EdgeError as `askPlane` */
  token(): Promise<string> {
    if (this.#token !== undefined && this.#token.expires - this.#clock.now() > marginMs) {
      return Promise.resolve(this.#token.text);
    }
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Forgets the token, as after the plane has refused it. */
  forget(): void {
    this.#token = undefined;
  }

  async #ask(): Promise<string> {
    const origin = this.#origin;
    const signal = this.#signal;
    const asked = await askPlane(this.#url, {
      method: "POST",
      path: "/api/v1/sessions/nonce",
      body: jsonBody({ origin }),
      signal,
    });
    const nonce = asText(jsonOf(asked, "the nonce").nonce, "nonce", "plane-refused");
    const pem = await readFile(join(this.#folder.keys, deviceKeys[0].file), "utf8");
    const signature = toBase64(await signWithPem(pem, utf8(sessionMessage(origin, nonce))));
    const planeCheckpoint = await readPinnedNote(this.#folder.state);
    const opened = await askPlane(this.#url, {
      method: "POST",
      path: "/api/v1/sessions",
      // A plane that was restored from a backup learns here what it has published.
      body: jsonBody({ origin, nonce, signature, ...(planeCheckpoint !== undefined && { planeCheckpoint }) }),
      signal,
    });
    const { token, expires } = jsonOf(opened, "the session");
    this.#token = {
      text: asText(token, "token", "plane-refused"),
      expires: asCount(expires, "expires", "plane-refused"),
    };
    return this.#token.text;
  }
}
