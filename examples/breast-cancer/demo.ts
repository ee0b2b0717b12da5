// `npm run demo`: the whole loop on real parts, in separate processes. Only the attackers are staged.

import { copyFile, rm, writeFile } from "node:fs/promises";
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
import { takeFolder } from "./demo/take-folder.ts";

const options = readOptions(process.argv.slice(2));
const story = new Story();
const lock = await takeFolder(options.out);
const scene = new Scene(options, story);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (scene.stop()) return;
    killAll();
    process.exit(130);
  });
}
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
  const here = nearest(options.out);
  story.line("");
  story.line(`All of it took ${story.seconds} s. In ${here}: answer.tally, trust.json, demo.json.`);
  story.line(
    `Check the answer on any machine: npm run --silent tally -- verify ${here}/answer.tally --trust ${here}/trust.json`,
  );
  if (options.keep) {
    const token = nearest(join(scene.work, "plane", "admin.token"));
    story.line(`The plane stays at ${scene.plane.url}; its administrator's token is in ${token}. Ctrl-C ends it.`);
    await scene.stopped;
  }
  await scene.end();
  if (!options.keep) await rm(scene.work, { recursive: true, force: true });
  await lock.release();
} catch (error) {
  process.stderr.write(`\nerror: the demo stopped: ${error instanceof Error ? error.message : String(error)}\n`);
  process.stderr.write(`hint: what was made so far is in ${options.out}\n`);
  killAll();
  await lock.release();
  process.exitCode = 1;
}

/** A path as the person who started the demo would write it. */
function nearest(path: string): string {
  const from = relative(process.env.TALLY_CWD ?? process.cwd(), path);
  return from.startsWith("..") ? path : from || ".";
}
