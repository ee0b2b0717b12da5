import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import {
  type Digest,
  type LineageResponse,
  makeStatement,
  selectionStatement,
  trainingBuildType,
  trainingStatement,
} from "@tally/evidence";
import { type Descriptor, emptyDescriptor, encodeImageManifest, RegistryClient } from "@tally/oci";
import { maxLineageNodes } from "./lineage-graph.ts";
import { by, ingestion, modelNamed, named, repository, StatementWorld } from "./statement-world.ts";

const origin = "plane.test/d/0a0b/0";

const nodeOf = ({ nodes }: LineageResponse, id: string) => nodes.find((node) => node.id === id);

/** Every edge as "kind -relation-> kind", sorted. */
function shapeOf(lineage: LineageResponse): string[] {
  const kind = (id: string) => nodeOf(lineage, id)?.kind;
  return lineage.edges.map(({ from, to, relation }) => `${kind(from)} -${relation}-> ${kind(to)}`).sort();
}

describe("lineage", () => {
  let world: StatementWorld;
  let server: Server;
  let client: RegistryClient;
  const [first, second, third] = [modelNamed("first"), modelNamed("second"), modelNamed("third")];
  let segment: Digest;
  let unnamed: Digest;

  async function pushManifest(artifactType: string, subject?: Descriptor): Promise<Descriptor> {
    await client.pushBlob(emptyDescriptor, new TextEncoder().encode("{}"));
    const { bytes, descriptor } = encodeImageManifest({
      artifactType,
      layers: [emptyDescriptor],
      ...(subject && { subject }),
    });
    await client.pushManifest(bytes, descriptor.mediaType);
    return descriptor;
  }

  before(async () => {
    world = await StatementWorld.create();
    server = createServer((req, res) => world.registry.handle(req, res));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new RegistryClient({ url, repository });
    const model = await pushManifest("application/vnd.example.model");
    Object.assign(first, { manifest: model.digest as Digest });
    segment = (await pushManifest("application/vnd.example.segment", model)).digest as Digest;
    unnamed = (await pushManifest("application/vnd.example.other", model)).digest as Digest;
    await world.db.run(
      "INSERT INTO device (origin, device_id, epoch, name, device_group, state, genesis, key_set, fleet_index, last_sync) VALUES (?, '0a0b', 0, 'ward 3', NULL, 'ok', '', ?, 1, NULL)",
      [origin, new Uint8Array()],
    );
    await world.db.run("INSERT INTO segment (origin, idx, from_idx, to_idx, artifact) VALUES (?, 40, 2, 40, ?)", [
      origin,
      segment,
    ]);
    await world.add(await by("publisher", ingestion("patients.csv")));
    await world.addModel(first, [{ name: "patients", digest: named("patients.csv"), role: "dataset" }]);
    const selection = selectionStatement([{ name: "field.csv", digest: named("field.csv") }], {
      model: first.manifest,
      segments: [{ manifest: segment, origin, from: 2, to: 40, rows: 30 }],
      filters: {},
    });
    await world.add(await by("scientist", selection), "scientist");
    await world.addModel(second, [
      { name: "field.csv", digest: named("field.csv"), role: "dataset" },
      { digest: first.manifest, role: "model", relation: "fine-tune" },
      { uri: "git+https://code.example/train", role: "code" },
    ]);
    await world.addModel(third, [{ digest: segment, role: "segment" }]);
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await world.destroy();
  });

  test("of a second version goes through segments and their device to the first version and its data", async () => {
    const lineage = await world.lineage.of(second.manifest);
    assert.equal(lineage.root, second.manifest);
    assert.deepEqual(shapeOf(lineage), [
      "dataset -selected by-> selection",
      "file -fine-tune-> model",
      "file -used dataset-> dataset",
      "file -used dataset-> dataset",
      "model -contains-> file",
      "model -contains-> file",
      "segment -recorded on-> device",
      "segment -records of-> model",
      "selection -takes-> segment",
    ]);
    assert.equal(nodeOf(lineage, origin)?.name, "ward 3");
    assert.deepEqual(nodeOf(lineage, named("patients.csv")), {
      id: named("patients.csv"),
      kind: "dataset",
      name: "patients",
      detail: "from https://data.example/heart, licence CC-BY-4.0, ingested by publisher",
    });
    assert.equal(nodeOf(lineage, second.manifest)?.name, repository);
    assert.equal(nodeOf(lineage, second.file.digest)?.detail, "made by trainer");
  });

  test("of a version trained on a segment itself finds the segment's device and model", async () => {
    const lineage = await world.lineage.of(third.manifest);
    const from = lineage.edges.filter((edge) => edge.from === segment).map(({ to, relation }) => [relation, to]);
    assert.deepEqual(from, [
      ["recorded on", origin],
      ["records of", first.manifest],
    ]);
    assert.ok(nodeOf(lineage, named("patients.csv")));
  });

  test("of something that nobody speaks of is that alone", async () => {
    const lineage = await world.lineage.of(named("nothing"));
    assert.deepEqual(lineage, {
      root: named("nothing"),
      nodes: [{ id: named("nothing"), kind: "artifact" }],
      edges: [],
    });
  });

  test("of statements that lead in a circle ends", async () => {
    const training = (made: string, from: string) =>
      by(
        "trainer",
        trainingStatement([{ digest: named(made) }], {
          buildType: trainingBuildType,
          parameters: {},
          dependencies: [{ digest: named(from), role: "model" }],
          builder: "urn:example:builder",
        }),
      );
    await world.add(await training("hen", "egg"));
    await world.add(await training("egg", "hen"));
    const lineage = await world.lineage.of(named("hen"));
    assert.equal(lineage.nodes.length, 2);
    assert.equal(lineage.edges.length, 2);
  });

  test("of a very long chain stops and says so", async () => {
    for (let i = 0; i < 40; i += 1) {
      const training = trainingStatement([{ digest: named(`link ${i}`) }], {
        buildType: trainingBuildType,
        parameters: {},
        dependencies: [{ digest: named(`link ${i + 1}`), role: "model" }],
        builder: "urn:example:builder",
      });
      await world.add(await by("trainer", training));
    }
    const lineage = await world.lineage.of(named("link 0"));
    assert.equal(lineage.nodes.length, 33);
    assert.equal(nodeOf(lineage, named("link 32"))?.detail, "not followed further");
  });

  test("of very many inputs stops at its bound and says so", async () => {
    for (let part = 0; part < 30; part += 1) {
      const training = trainingStatement([{ digest: named("hoard") }], {
        buildType: trainingBuildType,
        parameters: {},
        dependencies: Array.from({ length: 350 }, (_, i) => ({ digest: named(`input ${part} ${i}`) })),
        builder: "urn:example:builder",
      });
      await world.add(await by("trainer", training));
    }
    const lineage = await world.lineage.of(named("hoard"));
    assert.equal(lineage.nodes.length, maxLineageNodes);
    assert.match(nodeOf(lineage, named("hoard"))?.detail ?? "", /more was used than is shown/);
  });

  test("ignores types that say nothing of an origin", async () => {
    await world.add(await by("publisher", makeStatement([{ digest: named("plain") }], "urn:other:v1", {})));
    assert.equal((await world.lineage.of(named("plain"))).nodes.length, 1);
  });

  test("segments of a model are those of the registry that a device's ledger names", async () => {
    assert.equal(await world.statements.repositoryOf(first.manifest), repository);
    const segments = await world.lineage.segmentsOf(first.manifest, repository);
    assert.deepEqual(segments, [{ manifest: segment, origin, deviceId: "0a0b", from: 2, to: 40, index: 40 }]);
    assert.ok(!segments.some(({ manifest }) => manifest === unnamed));
    assert.deepEqual(await world.lineage.segmentsOf(second.manifest, repository), []);
    await assert.rejects(world.statements.repositoryOf(named("nothing")), /no statement/);
  });
});
