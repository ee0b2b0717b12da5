import { resolve } from "node:path";
import { parseArgs } from "node:util";

export interface DemoOptions {
  readonly out: string;
  readonly devices: number;
  readonly keep: boolean;
}

const usage = `npm run demo -- [--devices N] [--out DIR] [--keep]

  --devices N   how many devices take part, 5 to 50 (default 5: one honest, four under attack)
  --out DIR     where the answer, the trust file and the figures go (default demo-out)
  --keep        leave the plane running at the end, until Ctrl-C
`;

/** Reads the demo's command line; prints usage and exits where it is wrong or asked for. */
export function readOptions(args: readonly string[]): DemoOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        devices: { type: "string", default: "5" },
        out: { type: "string", default: "demo-out" },
        keep: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    const devices = Number(values.devices);
    if (!Number.isInteger(devices) || devices < 5 || devices > 50) {
      throw new Error(`--devices ${values.devices} is not a number from 5 to 50`);
    }
    return { devices, keep: values.keep, out: resolve(process.env.TALLY_CWD ?? process.cwd(), values.out) };
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\nhint: ${usage.split("\n")[0]}\n`);
    process.exit(2);
  }
}
