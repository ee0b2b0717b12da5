import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  generatePrivateKeyPem,
  type KeySet,
  type NoteSigner,
  noteSignerFromPem,
  type ReceiptSigner,
  signWithPem,
  utf8,
} from "@tally/evidence";
import { nodeFiles, writeDurably } from "@tally/ledger";
import { PlaneError } from "../error.ts";

/** The plane's names are fixed by its own: two logs and two cosigners. */
export const logOrigin = (plane: string): string => `${plane}/log`;
export const fleetOrigin = (plane: string): string => `${plane}/fleet`;

/** Everything the plane signs with. Cosigners have keys of their own, as C2SP tlog-mirror asks. */
export interface PlaneKeys {
  readonly log: readonly NoteSigner[];
  readonly fleet: readonly NoteSigner[];
  readonly witness: readonly NoteSigner[];
  readonly mirror: readonly NoteSigner[];
  /** Signs receipts in other people's form, with the Ed25519 key of `log`. */
  readonly receipts: ReceiptSigner;
  /** What the fleet log's first entry says. */
  readonly keySet: KeySet;
}

const algorithms = ["ed25519", "ml-dsa-44"] as const;

/** Reads the keys of the folder, and makes those that are missing: PEM, 0600. */
export async function openPlaneKeys(dir: string, plane: string): Promise<PlaneKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const [own, witness, mirror] = await Promise.all(
    ["plane", "witness", "mirror"].map(async (name) =>
      Promise.all(algorithms.map((algorithm) => openKey(join(dir, `${name}.${algorithm}.pem`), algorithm))),
    ),
  );
  const signs = (name: string, [ed25519, mlDsa]: readonly string[], type: 1 | 4) => [
    noteSignerFromPem(name, type, ed25519!),
    noteSignerFromPem(name, 6, mlDsa!),
  ];
  const log = signs(logOrigin(plane), own!, 1);
  return {
    log,
    fleet: signs(fleetOrigin(plane), own!, 1),
    witness: signs(`${plane}/witness`, witness!, 4),
    mirror: signs(`${plane}/mirror`, mirror!, 4),
    receipts: { publicKey: log[0]!.key.publicKey, sign: (message) => signWithPem(own![0]!, message) },
    keySet: log.map(({ key }) => ({ type: key.type, publicKey: key.publicKey })),
  };
}

async function openKey(path: string, algorithm: (typeof algorithms)[number]): Promise<string> {
  try {
    const pem = await readFile(path, "utf8");
    // A kill may have come before the file was its owner's alone.
    await chmod(path, 0o600);
    return pem;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new PlaneError("configuration", `the key ${path} cannot be read: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const pem = generatePrivateKeyPem(algorithm);
    await writeDurably(nodeFiles, path, utf8(pem));
    await chmod(path, 0o600);
    return pem;
  }
}
