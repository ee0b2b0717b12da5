import { resolve } from "node:path";
import {
  type CaptureMode,
  captureModes,
  enroll as enrollDevice,
  type Recipient,
  type ReleaseMode,
  releaseModes,
} from "@tally/edge";
import { Option } from "commander";
import { collect, withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { print, required, say, settings, usageError } from "../../terminal/index.ts";

interface Options {
  readonly dir?: string;
  readonly url?: string;
  readonly enrolmentToken: string;
  readonly trust?: string;
  readonly capture?: CaptureMode;
  readonly recipient?: readonly string[];
  readonly release?: ReleaseMode;
  readonly json?: boolean;
}

/** `tally device enroll`: a folder becomes a device of a plane. */
export const enroll: Register = (program, { terminal }) => {
  const command = program
    .command("enroll")
    .description("make a device of a folder: keys that never leave it, a ledger, and its place in the plane's fleet")
    .requiredOption("--enrolment-token <token>", "the one-time token that `tally device token` made")
    .option("--dir <dir>", "the device's own folder; TALLY_DIR")
    .option("--url <url>", "the plane; TALLY_URL")
    .option("--trust <file>", "the trust file, got by a way that does not lead through the plane; TALLY_TRUST")
    .addOption(
      new Option("--capture <mode>", "whether inputs and outputs are kept for training data").choices(
        captureModes.filter((mode) => mode !== "matching"),
      ),
    )
    .option("--recipient <name=key>", "encrypt what is kept to this age recipient (repeatable)", collect)
    .addOption(
      new Option("--release <mode>", "what must be true before an output leaves the device").choices(releaseModes),
    );
  withJson(command).action(async ({ enrolmentToken, capture, recipient, release, json, ...flags }: Options) => {
    const found = await settings(terminal, flags);
    const dir = required(found.dir);
    const recipients = recipient?.map(recipientOf);
    const config = { ...(capture && { capture }), ...(recipients && { recipients }), ...(release && { release }) };
    const { deviceId, origin } = await enrollDevice({
      dir,
      url: required(found.url),
      token: enrolmentToken,
      trustPath: resolve(terminal.cwd, required(found.trust)),
      config,
    });
    print(terminal, json, { deviceId, origin, folder: dir }, () => [deviceId]);
    say(terminal, `enrolled ${origin} in ${dir}`);
  });
};

function recipientOf(text: string): Recipient {
  const at = text.lastIndexOf("=");
  if (at <= 0)
    throw usageError(`${text} is not NAME=KEY`, "write a name for people and the age recipient: ward-7=age1…");
  return { name: text.slice(0, at), key: text.slice(at + 1) };
}
