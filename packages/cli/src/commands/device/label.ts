import { decodeEntry, type JsonValue, toHex } from "@tally/evidence";
import { deviceFolderOf, withDeviceFolder } from "../../device-folder.ts";
import { parseCount, withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { print, say, usageError } from "../../terminal/index.ts";
import { withDevice } from "../../with-device.ts";

interface Options {
  readonly dir?: string;
  readonly json?: boolean;
}

/** `tally device label INDEX VALUE`: the truth about a record, once it is known. */
export const label: Register = (program, { terminal }) => {
  const command = program
    .command("label")
    .description("record ground truth or a correction for a record of this device; labels accumulate, never replace")
    .argument("<index>", "the record's index in the ledger", parseCount)
    .argument("<value>", 'what is true, as JSON: "benign", true, {"malignant": false}');
  withJson(withDeviceFolder(command)).action(async (index: number, value: string, options: Options) => {
    const json = readJson(value);
    const dir = await deviceFolderOf(terminal, options);
    const made = await withDevice(dir, async (device) => {
      const { ledger } = device.core;
      if (index >= ledger.committedSize) throw noRecord(`the ledger has no entry ${index}`);
      const { kind } = decodeEntry(await ledger.entry(index));
      if (kind !== "inference") throw noRecord(`entry ${index} is ${kind}, not a record`);
      const record = { origin: device.origin, index, leaf: await ledger.leafHash(index) };
      const { index: at, leaf } = await device.label({ record, content: { json } });
      return { origin: device.origin, index: at, leaf: toHex(leaf) };
    });
    print(terminal, options.json, made, () => [`${made.origin} #${made.index}`]);
    say(terminal, `entry ${made.index} is a label of entry ${index}`);
  });
};

function noRecord(message: string): Error {
  return usageError(message, "give the index that came with the output");
}

function readJson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw usageError(`${text} is not JSON`, `write text in quotes: '"benign"'`, cause);
  }
}
