import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digestOf, utf8 } from "@tally/evidence";
import { codeSigning, makeCertificate } from "../../../oci/src/signing/certificate-maker.ts";
import { trustedRootOfNobody } from "../../../oci/src/testing/mock-sigstore.ts";

const tinyModel = fileURLToPath(new URL("../../../edge/testdata/tiny.onnx", import.meta.url));

const rows = "first,second,third,fourth,label\n1,2,3,4,1\n4,3,2,1,0\n";

/** A folder with what a person brings: a model, the data that it learned from, inputs, certificates. */
export interface Stage {
  /** Where the story is played. */
  readonly folder: string;
  /** Beside it: the `tally` of the path. */
  readonly tools: string;
  remove(): Promise<void>;
}

export async function setStage(): Promise<Stage> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "tally-story-")));
  const folder = join(root, "work");
  for (const name of ["model", "model-2", "data"]) await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, "data", "rows.csv"), rows);
  for (const [i, name] of ["model", "model-2"].entries()) {
    await cp(tinyModel, join(folder, name, "model.onnx"));
    await writeFile(join(folder, name, "README.md"), `# A tiny classifier, version ${i + 1}\n`);
  }
  const training = {
    buildDefinition: {
      buildType: "urn:tally:build:training:v1",
      externalParameters: { seed: 1 },
      resolvedDependencies: [
        {
          name: "rows.csv",
          digest: { sha256: digestOf(utf8(rows)).slice("sha256:".length) },
          annotations: { role: "dataset" },
        },
      ],
    },
    runDetails: { builder: { id: "https://example.org/trainer" }, metadata: {} },
  };
  await writeFile(join(folder, "training.json"), `${JSON.stringify(training, null, 2)}\n`);
  await writeFile(
    join(folder, "inputs.jsonl"),
    '{"features": [1, 2, 3, 4]}\n{"features": [4, 3, 2, 1]}\n{"features": [0, 0, 0, 0]}\n',
  );
  await writeCertificates(join(folder, "certificates"));
  await writeFile(join(folder, "trusted_root.json"), await trustedRootOfNobody());
  return { folder, tools: join(root, "tools"), remove: () => rm(root, { recursive: true, force: true }) };
}

/** What a certificate authority gave a signer: key, certificate with its issuers, and the root alone. */
async function writeCertificates(folder: string): Promise<void> {
  await mkdir(folder);
  const root = makeCertificate({ name: "C=SE, ST=Test, O=Example, CN=root", ca: true, keyUsage: 0x06 });
  const name = "C=SE, ST=Test, O=Example, CN=signer";
  const { key, certificate } = makeCertificate({ name, issuer: root, keyUsage: 0x80, purposes: [codeSigning] });
  await writeFile(join(folder, "signer.pem"), key.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
  await writeFile(join(folder, "signer-chain.pem"), `${certificate}${root.certificate}`);
  await writeFile(join(folder, "root.pem"), String(root.certificate));
}

/** The ports that transcripts show are the defaults; what is taken instead is free on this machine. */
export class Ports {
  readonly #shown: readonly string[];
  readonly #taken: readonly string[];

  private constructor(shown: readonly string[], taken: readonly string[]) {
    this.#shown = shown;
    this.#taken = taken;
  }

  static async find(...shown: string[]): Promise<Ports> {
    const probes = shown.map(() => createServer());
    const taken: string[] = [];
    for (const probe of probes) {
      await new Promise<void>((resolve, reject) => {
        probe.once("error", reject);
        probe.listen(0, "127.0.0.1", resolve);
      });
      const address = probe.address();
      taken.push(String(typeof address === "object" && address !== null ? address.port : 0));
    }
    await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
    return new Ports(shown, taken);
  }

  taken(text: string): string {
    return replaceAll(text, this.#shown, this.#taken);
  }

  shown(text: string): string {
    return replaceAll(text, this.#taken, this.#shown);
  }
}

function replaceAll(text: string, from: readonly string[], to: readonly string[]): string {
  return from.reduce(
    (result, port, i) => result.replace(new RegExp(`(?<=[: =])${port}(?![0-9a-z])`, "g"), to[i]!),
    text,
  );
}

export function readTranscript(name: string): Promise<string> {
  return readFile(new URL(`./${name}.txt`, import.meta.url), "utf8");
}
