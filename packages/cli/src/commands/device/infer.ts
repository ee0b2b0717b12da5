import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { OnnxTensor } from "@tally/edge";
import { toHex } from "@tally/evidence";
import { deviceFolderOf, withDeviceFolder } from "../../device-folder.ts";
import type { Register } from "../../register.ts";
import { say, type Terminal, usageError } from "../../terminal/index.ts";
import { withDevice } from "../../with-device.ts";

interface Options {
  readonly dir?: string;
  readonly subject?: string;
}

/** `tally device infer CHANNEL FILE`: one run over a file of inputs, without an agent. */
export const infer: Register = (program, { terminal }) => {
  const command = program
    .command("infer")
    .description(
      "run a released ONNX model over inputs, a record for each; for trying out, and for batches without an agent",
    )
    .argument("<channel>", "repository:name")
    .argument(
      "<file>",
      'inputs, one JSON object a line: {"features": [1, 2, 3]}, or with type, dims and data; - is stdin',
    )
    .option("--subject <id>", "whom the inputs are about: an opaque id, by which the records can be erased together");
  withDeviceFolder(command).action(async (channel: string, file: string, options: Options) => {
    const dir = await deviceFolderOf(terminal, options);
    const inputs = readInputs(file, await readText(terminal, file));
    const manifest = await withDevice(dir, async (device) => {
      const model = await device.load(channel);
      const session = await model.onnx();
      for (const feeds of inputs) {
        const { outputs, record } = await session.run(
          feeds,
          options.subject === undefined ? {} : { subject: options.subject },
        );
        const { origin, index, leaf } = record;
        const shown = Object.entries(outputs).map(([name, { data }]) => [
          name,
          Array.from(data as Iterable<unknown>, plain),
        ]);
        const line = { outputs: Object.fromEntries(shown), record: { origin, index, leaf: toHex(leaf) } };
        terminal.stdout.write(`${JSON.stringify(line)}\n`);
      }
      return model.manifest;
    });
    say(terminal, `${inputs.length} outputs by ${manifest}, recorded; \`tally device sync\` brings them to the plane`);
  });
};

async function readText(terminal: Terminal, file: string): Promise<string> {
  if (file !== "-") return readFile(resolve(terminal.cwd, file), "utf8");
  return Buffer.concat(await Array.fromAsync(terminal.stdin)).toString("utf8");
}

type Feeds = Readonly<Record<string, OnnxTensor>>;

function readInputs(file: string, text: string): readonly Feeds[] {
  return text.split("\n").flatMap((line, i): Feeds[] => {
    if (line.trim() === "") return [];
    const place = `line ${i + 1} of ${file}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw usageError(`${place} is not JSON: ${(cause as Error).message}`, undefined, cause);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw usageError(`${place} is not an object`);
    return [
      Object.fromEntries(Object.entries(value).map(([name, item]) => [name, tensor(item, `${name} in ${place}`)])),
    ];
  });
}

/** A plain list of numbers is one row of float32. */
function tensor(value: unknown, place: string): OnnxTensor {
  if (Array.isArray(value) && value.every((item) => typeof item === "number")) {
    return { type: "float32", dims: [1, value.length], data: Float32Array.from(value) };
  }
  const { type, dims, data } = (value ?? {}) as { type?: unknown; dims?: unknown; data?: unknown };
  if (typeof type === "string" && Array.isArray(dims) && Array.isArray(data)) {
    return { type, dims: dims as number[], data: data as OnnxTensor["data"] };
  }
  throw usageError(
    `${place} is no tensor`,
    'write [1, 2, 3] or {"type": "float32", "dims": [1, 3], "data": [1, 2, 3]}',
  );
}

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)) : value;
}
