import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Bindings } from "./screen.ts";
import { Shell } from "./shell.ts";
import { Ports, readTranscript, type Stage, setStage } from "./stage.ts";
import { story } from "./story.ts";
import { isBackground, parseTranscript, type Step } from "./transcript.ts";

let stage: Stage;
let shell: Shell;
let ports: Ports;
const bindings = new Bindings();
let broken: string | undefined;

before(async () => {
  stage = await setStage();
  ports = await Ports.find("7400", "7401", "7402", "7410", "7499");
  shell = await Shell.start(stage.folder, stage.tools);
  bindings.bind("folder", stage.folder);
});

after(async () => {
  await shell?.close();
  await stage?.remove();
});

for (const name of story) {
  test(`transcript ${name}`, async (t) => {
    if (broken !== undefined) return t.skip(`the story broke off in ${broken}`);
    try {
      for (const step of parseTranscript(await readTranscript(name))) await play(step, name);
    } catch (error) {
      broken = name;
      throw error;
    }
  });
}

async function play(step: Step, name: string): Promise<void> {
  const place = `${name}.txt:${step.line}: $ ${step.command}`;
  const command = ports.taken(bindings.fill(step.command));
  const shown = (lines: readonly string[]) => lines.map((line) => ports.shown(line));
  if (isBackground(step)) {
    await shell
      .start(command, (lines) => bindings.match(step.expected, shown(lines)) === undefined)
      .catch((error: Error) => {
        assert.fail(`${place}\n${bindings.match(step.expected, []) ?? ""}\n${error.message}`);
      });
    return;
  }
  const { lines, exitCode } = await shell.run(command);
  const differs = bindings.match(step.expected, shown(lines));
  if (differs !== undefined) assert.fail(`${place}\n${differs}`);
  assert.equal(exitCode, step.exitCode, `${place}: exit code; the screen showed\n${lines.join("\n")}`);
}
