import type { IncomingMessage } from "node:http";
import { type Digest, evidenceGrades, parseDigest, toBase64 } from "@tally/evidence";
import type { Device } from "../device.ts";
import type { DeclaredModel } from "../device-requests.ts";
import { EdgeError } from "../error.ts";
import { asCount, asList, asObject, asOneOf, asText, type LooseObject } from "../folder/json.ts";
import type { LoadedModel } from "../models/loaded-model.ts";
import type { Parameters, Usage } from "../recorder/decimal.ts";
import { readBody } from "./exchange.ts";
import { readContent, readReference, readTensors, writeReference, writeTensors } from "./json-content.ts";
import { syncRound } from "./sync-loop.ts";

const code = "request-invalid";

/** What the agent answers: one function per route of docs/agent.md, over one device. */
export class AgentRoutes {
  readonly #device: Device;
  readonly #loaded = new Map<string, LoadedModel>();
  readonly #declared = new Map<string, Promise<DeclaredModel>>();

  constructor(device: Device) {
    this.#device = device;
  }

  /** @throws EdgeError `request-invalid` where there is no such route */
  async answer(request: IncomingMessage): Promise<object> {
    const { pathname } = new URL(request.url ?? "/", "http://agent.invalid");
    const route = `${request.method} ${pathname}`;
    switch (route) {
      case "GET /v1/status":
        return this.#device.status();
      case "POST /v1/models/load":
        return this.#load(await readBody(request));
      case "POST /v1/infer":
        return this.#infer(await readBody(request));
      case "POST /v1/record":
        return this.#record(await readBody(request));
      case "POST /v1/labels":
        return this.#label(await readBody(request));
      case "POST /v1/erase":
        return this.#erase(await readBody(request));
      case "POST /v1/sync":
        return syncRound(this.#device);
    }
    const receipt = /^GET \/v1\/receipts\/(\d{1,16})$/.exec(route);
    if (receipt !== null) return this.#receipt(Number(receipt[1]));
    throw new EdgeError(code, `the agent has no route ${route}`, { hint: "docs/agent.md lists them" });
  }

  /** Loads what the channel leads to now; a model that the channel led to before is let go. */
  async #load({ ref }: LooseObject): Promise<object> {
    const channel = asText(ref, "ref", code);
    const model = await this.#device.load(channel);
    const session = await model.onnx();
    const before = this.#loaded.get(channel);
    this.#loaded.set(channel, model);
    await before?.unload("replaced");
    const { manifest, sequence, release, fresh } = model;
    return {
      model: channel,
      manifest,
      sequence,
      release,
      fresh,
      inputs: session.inputMetadata,
      outputs: session.outputMetadata,
    };
  }

  async #infer(body: LooseObject): Promise<object> {
    const model = this.#modelOf(asText(body.model, "model", code));
    const session = await model.onnx();
    const { outputs, record } = await session.run(readTensors(body.inputs, "inputs"), sharedOptions(body));
    return { outputs: writeTensors(outputs), record: writeReference(record) };
  }

  async #record(body: LooseObject): Promise<object> {
    const model = typeof body.model === "string" ? this.#modelOf(body.model) : await this.#declare(body.model);
    const { durationMicros, retrievals } = body;
    const record = await this.#device.record({
      model,
      input: readContent(body.input, "input"),
      output: readContent(body.output, "output"),
      ...(durationMicros !== undefined && { durationMicros: asCount(durationMicros, "durationMicros", code) }),
      ...(retrievals !== undefined && {
        retrievals: asList(retrievals, "retrievals", code).map((item, i) => readContent(item, `retrievals[${i}]`)),
      }),
      ...sharedOptions(body),
    });
    return { record: writeReference(record) };
  }

  async #label({ record, content, who }: LooseObject): Promise<object> {
    const label = await this.#device.label({
      record: readReference(record, "record"),
      content: readContent(content, "content"),
      ...(who !== undefined && { who: asText(who, "who", code) }),
    });
    return { label: writeReference(label) };
  }

  async #erase({ subject, record }: LooseObject): Promise<object> {
    if ((subject === undefined) === (record === undefined)) {
      throw new EdgeError(code, "name a subject or a record to erase: one of them");
    }
    return this.#device.erase(
      subject === undefined
        ? { record: asCount(record, "record", code) }
        : { subject: asText(subject, "subject", code) },
    );
  }

  async #receipt(index: number): Promise<object> {
    const receipt = await this.#device.receipt(index);
    if (receipt.status === "unsynced") return { ...receipt, entry: toBase64(receipt.entry) };
    return { status: receipt.status, mediaType: receipt.mediaType, base64: toBase64(receipt.bytes) };
  }

  #modelOf(channel: string): LoadedModel {
    const model = this.#loaded.get(channel);
    if (model !== undefined) return model;
    throw new EdgeError("model-not-found", `${channel} is not loaded`, { hint: "POST /v1/models/load first" });
  }

  /** One load for each thing that was declared, however many records name it. */
  #declare(value: unknown): Promise<DeclaredModel> {
    const { grade, runtime, provider, manifest } = asObject(value, "model", code);
    const declaration = {
      grade: asOneOf(grade, evidenceGrades.slice(2) as ["declared", "asserted", "named"], "model.grade", code),
      runtime: asText(runtime, "model.runtime", code),
      provider: asText(provider, "model.provider", code),
      ...(manifest !== undefined && { manifest: readDigest(asText(manifest, "model.manifest", code)) }),
    };
    const key = JSON.stringify(declaration);
    const known = this.#declared.get(key) ?? this.#device.declare(declaration);
    this.#declared.set(key, known);
    known.catch(() => this.#declared.delete(key));
    return known;
  }
}

function sharedOptions({ parameters, usage, parents, subject }: LooseObject) {
  return {
    ...(subject !== undefined && { subject: asText(subject, "subject", code) }),
    ...(parameters !== undefined && { parameters: readNumbers(parameters, "parameters") as Parameters }),
    ...(usage !== undefined && { usage: readNumbers(usage, "usage") as Usage }),
    ...(parents !== undefined && {
      parents: asList(parents, "parents", code).map((item, i) => readReference(item, `parents[${i}]`)),
    }),
  };
}

/** The recorder knows the names; here they must be numbers. */
function readNumbers(value: unknown, what: string): Readonly<Record<string, number>> {
  const numbers = asObject(value, what, code);
  for (const [name, number] of Object.entries(numbers)) {
    if (typeof number !== "number") throw new EdgeError(code, `${what}.${name} is no number`);
  }
  return numbers as Readonly<Record<string, number>>;
}

function readDigest(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (cause) {
    throw new EdgeError(code, `model.manifest: ${(cause as Error).message}`, { cause });
  }
}
