import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tally, tallyResult } from "../processes.ts";
import type { Scene } from "../scene.ts";
import { short } from "../story.ts";

interface VerifiedAnswer {
  readonly outcome: string;
  readonly asOf: number;
  readonly checks: readonly { readonly result: string }[];
  readonly answer: {
    readonly models: readonly {
      readonly manifest: string;
      readonly inside: number;
      readonly possiblyInside: number;
      readonly keyRevoked: number;
      readonly devices: number;
      readonly approvedBy: readonly string[];
    }[];
    readonly records: readonly { readonly standing: string }[];
  };
}

/** Step 6: the audit question, its answer verified with the plane switched off, and one byte flipped. */
export async function answerTheQuestion(scene: Scene): Promise<void> {
  const { story, options, trustPath } = scene;
  story.heading(6, "Which model version produced these results, on every device, between these times?");
  const file = join(options.out, "answer.tally");
  const [from, to] = [new Date(scene.from).toISOString(), new Date().toISOString()];
  const auditor = { TALLY_URL: scene.plane.url, TALLY_TOKEN: await scene.token("auditor"), TALLY_TRUST: trustPath };
  await tally(["audit", "--from", from, "--to", to, "-o", file], auditor);
  const bytes = await readFile(file);
  story.line(
    `the answer is one file of ${story.figure("size of the bundle", bytes.length, "bytes")}; now the plane is stopped`,
  );
  await scene.plane.stop();
  const question = ["--trust", trustPath, "--from", from, "--to", to];
  const began = performance.now();
  const verified = await tallyResult(["verify", file, ...question, "--json"]);
  const took = Math.round(performance.now() - began);
  const report = JSON.parse(verified.stdout) as VerifiedAnswer;
  if (verified.code !== 0)
    throw new Error(`the answer does not verify: exit ${verified.code}\n${verified.stdout.slice(0, 4000)}`);
  const good = report.checks.filter(({ result }) => result === "good").length;
  story.line(
    `verified offline: ${report.outcome}, ${story.figure("checks that held", good)} checks held, in ${story.figure("time to verify, process start included", took, "ms")}`,
  );
  for (const [i, { manifest }] of scene.versions.entries()) {
    const found = report.answer.models.find((model) => model.manifest === manifest);
    if (found === undefined) throw new Error(`version ${i + 1} is not in the answer`);
    const records = found.inside + found.possiblyInside + (found.keyRevoked ?? 0);
    story.line(
      `version ${i + 1} (${short(manifest)}), approved by ${found.approvedBy.join(", ")}: ${story.figure(`records of version ${i + 1} in the answer`, records)} results on ${found.devices} devices`,
    );
  }
  const changed = Uint8Array.from(bytes);
  const at = Math.floor(bytes.length / 2);
  changed[at]! ^= 1;
  const altered = join(scene.work, "altered.tally");
  await writeFile(altered, changed);
  const refused = await tallyResult(["verify", altered, ...question, "--json"]);
  const { damage } = JSON.parse(refused.stdout) as { damage: { where: string; offset: number } | null };
  if (refused.code !== 3 || damage === null) throw new Error(`a flipped byte ended with exit ${refused.code}`);
  story.line(
    `byte ${story.figure("byte flipped", at)} flipped: exit 3, found in ${damage.where}, which begins at byte ${damage.offset}`,
  );
}
