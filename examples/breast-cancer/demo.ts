// `npm run demo`: the whole loop on real parts, in separate processes. Only the attackers are staged.

import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { readOptions } from "./demo/options.ts";
import { killAll } from "./demo/processes.ts";
import { Scene } from "./demo/scene.ts";
import { answerTheQuestion } from "./demo/steps/answer.ts";
import { attack } from "./demo/steps/attack.ts";
import { comeBack } from "./demo/steps/come-back.ts";
import { makeFirstModel } from "./demo/steps/first-model.ts";
import { goOffline } from "./demo/steps/go-offline.ts";
import { retrain } from "./demo/steps/retrain.ts";
import { startPlaneAndWitness } from "./demo/steps/start.ts";
import { Story } from "./demo/story.ts";

const options = readOptions(process.argv.slice(2));
const story = new Story();
await rm(options.out, { recursive: true, force: true });
await mkdir(options.out, { recursive: true });
process.on("SIGINT", () => {
  killAll();
  process.exit(130);
});

const scene = new Scene(options, story);
try {
  await startPlaneAndWitness(scene);
  await makeFirstModel(scene);
  await goOffline(scene);
  await comeBack(scene);
  await attack(scene);
  await answerTheQuestion(scene);
  await retrain(scene);
  await copyFile(scene.trustPath, join(options.out, "trust.json"));
  await writeFile(join(options.out, "demo.json"), `${JSON.stringify(story.toJson(), null, 2)}\n`);
  const here = relative(process.env.TALLY_CWD ?? process.cwd(), options.out) || ".";
  story.line("");
  story.line(`All of it took ${story.seconds} s. In ${here}: answer.tally, trust.json, demo.json.`);
  story.line(
    `Check the answer on any machine: npm run --silent tally -- verify ${here}/answer.tally --trust ${here}/trust.json`,
  );
  if (options.keep) {
    story.line(
      `The plane stays at ${scene.plane.url}; its administrator's token is in ${relative(process.cwd(), join(scene.work, "plane", "admin.token"))}. Ctrl-C ends it.`,
    );
    await new Promise(() => setInterval(() => {}, 60_000));
  }
  await scene.end();
} catch (error) {
  process.stderr.write(`\nerror: the demo stopped: ${error instanceof Error ? error.message : String(error)}\n`);
  process.stderr.write(`hint: what was made so far is in ${options.out}\n`);
  killAll();
  process.exitCode = 1;
}
