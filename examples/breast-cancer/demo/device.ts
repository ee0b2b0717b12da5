import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Ask, Diagnosis, PatientFeatures, Said } from "./device-messages.ts";
import { track } from "./processes.ts";

const program = fileURLToPath(new URL("./device-process.ts", import.meta.url));

/** Why a device did not do what it was asked, with its own error code. */
export class DeviceRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A device process, as the demo sees it. */
export class DemoDevice {
  readonly name: string;
  readonly dir: string;
  readonly origin: string;
  readonly deviceId: string;
  readonly diagnoses: Diagnosis[] = [];
  readonly #child: ChildProcess;

  private constructor(name: string, dir: string, child: ChildProcess, origin: string, deviceId: string) {
    this.name = name;
    this.dir = dir;
    this.origin = origin;
    this.deviceId = deviceId;
    this.#child = child;
  }

  /** Starts the process in a folder that is enrolled. */
  static async start(name: string, dir: string): Promise<DemoDevice> {
    const child = fork(program, [dir], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    track(child);
    const { origin, deviceId } = (await answer(child, name)) as { origin: string; deviceId: string };
    return new DemoDevice(name, dir, child, origin, deviceId);
  }

  load(channel: string): Promise<{ manifest: string; sequence: number; fresh: boolean }> {
    return this.#ask({ do: "load", channel }) as Promise<{ manifest: string; sequence: number; fresh: boolean }>;
  }

  async diagnose(patients: readonly PatientFeatures[]): Promise<readonly Diagnosis[]> {
    const made = (await this.#ask({ do: "diagnose", patients })) as readonly Diagnosis[];
    this.diagnoses.push(...made);
    return made;
  }

  label(labels: readonly { index: number; leaf: string; malignant: boolean }[]): Promise<unknown> {
    return this.#ask({ do: "label", labels });
  }

  sync(): Promise<{ mirrored: number }> {
    return this.#ask({ do: "sync" }) as Promise<{ mirrored: number }>;
  }

  pack(): Promise<readonly { artifact: string; rows: number }[]> {
    return this.#ask({ do: "pack" }) as Promise<readonly { artifact: string; rows: number }[]>;
  }

  async close(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once("exit", resolve));
    await this.#ask({ do: "close" });
    await exited;
  }

  async #ask(ask: Ask): Promise<unknown> {
    const said = answer(this.#child, this.name);
    this.#child.send(ask);
    return said;
  }
}

function answer(child: ChildProcess, name: string): Promise<unknown> {
  let stderr = "";
  const listen = (text: Buffer) => {
    stderr = (stderr + text.toString("utf8")).slice(-2000);
  };
  child.stderr?.on("data", listen);
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`${name} ended with ${code}\n${stderr}`));
    child.once("exit", onExit);
    child.once("message", (said: Said) => {
      child.off("exit", onExit);
      child.stderr?.off("data", listen);
      if (said.ok) resolve(said.value);
      else reject(new DeviceRefusal(said.code, said.message));
    });
  });
}
