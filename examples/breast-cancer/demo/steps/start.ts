import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { startServer, tally } from "../processes.ts";
import { planeName, type Scene } from "../scene.ts";

const people = [
  ["publisher", "ingest,train,sign-model,evaluate,release,select"],
  ["reviewer", "approve"],
  ["operator", "manage-fleet"],
] as const;

/** Step 1: a witness and a plane that trusts its cosignatures, each a process with a folder of its own. */
export async function startPlaneAndWitness(scene: Scene): Promise<void> {
  const { story, work } = scene;
  story.heading(1, "A control plane and an independent witness");
  await mkdir(work, { recursive: true });
  const witnessDir = join(work, "witness");
  const vkeys = (await tally(["witness", "--name", "witness.local/one", "--dir", witnessDir, "--print-keys"])).split(
    "\n",
  );
  // The witness has to be told the plane's keys and the plane the witness's, so one of them starts without its peer: the
  // plane asks until the witness answers.
  const port = await freePort();
  scene.policyPath = join(work, "witness-policy.txt");
  const lines = vkeys.map((vkey, i) => `witness w${i + 1} ${vkey} http://127.0.0.1:${port}`);
  const names = vkeys.map((_, i) => `w${i + 1}`).join(" ");
  await writeFile(scene.policyPath, `${lines.join("\n")}\ngroup both all ${names}\nquorum both\n`);
  await scene.startPlane();
  for (const [name, may] of people) {
    await tally(["keygen", join(work, "keys", name)]);
    const key = join(work, "keys", `${name}.pub.pem`);
    await tally(["identity", "add", name, "--key", key, "--may", may, "--repository", "*"], scene.admin);
  }
  const trust = await tally(["trust", "show"], scene.admin);
  await writeFile(scene.trustPath, `${trust}\n`);
  const { plane } = JSON.parse(trust) as { plane: { log: string[]; fleet: string[] } };
  const logs = [...plane.log, ...plane.fleet].flatMap((vkey) => ["--log", vkey]);
  scene.witness = await startServer([
    "witness",
    "--name",
    "witness.local/one",
    "--dir",
    witnessDir,
    "--port",
    String(port),
    ...logs,
  ]);
  scene.desk = {
    work,
    url: scene.plane.url,
    publisherToken: await scene.token("publisher"),
    approverToken: await scene.token("approver"),
    publisherKey: join(work, "keys", "publisher.pem"),
    reviewerKey: join(work, "keys", "reviewer.pem"),
  };
  story.line(`plane ${planeName} at ${scene.plane.url}, witness witness.local/one at ${scene.witness.url}`);
  story.line("the witness cosigns the plane's logs with Ed25519 and ML-DSA-44; the trust file asks for both");
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
