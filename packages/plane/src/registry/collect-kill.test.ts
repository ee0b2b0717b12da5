import assert from "node:assert/strict";
import { readdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  type Digest,
  generatePrivateKeyPem,
  ingestionStatement,
  publicKeyOfPem,
  publicKeyPem,
  type StatementSigner,
  signStatement,
  statementSignerFromPem,
} from "@tally/evidence";
import { contentDigestOf, type Descriptor, openSqlite, parseManifest, partsOf } from "@tally/oci";
import { seededRandom } from "../../../ledger/src/testing/simulated-disk.ts";
import { Pusher } from "../../../oci/src/testing/pushes.ts";
import { PlaneProcess } from "../testing/plane-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const day = 86_400_000;
const repository = "ward/model";
const rounds = 6;

interface Made {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  /** Why it has to be there from now on; undefined while nothing keeps it. */
  needed: string | undefined;
  /** Something was asked for that would keep it, and no answer came. */
  inDoubt: boolean;
}

/** Requests with the plane's token. */
class Client extends Pusher {
  readonly #token: string;

  constructor({ url, adminToken }: PlaneProcess) {
    super(url);
    this.#token = adminToken;
  }

  override request(method: string, path: string, body?: Uint8Array, headers: Record<string, string> = {}) {
    return super.request(method, path, body, { ...headers, Authorization: `Bearer ${this.#token}` });
  }
}

test("kill -9 at any moment of a collection: all that tags, people and evidence need is whole, nothing half-removed is served, and the next collection ends the work", async (t) => {
  const dir = join(await temporaryFolder(t), "plane");
  const pem = generatePrivateKeyPem("p-256");
  const signer = statementSignerFromPem(pem);
  const random = seededRandom(11);
  const made: Made[] = [];
  let plane = await PlaneProcess.start(t, dir);
  const key = publicKeyPem(publicKeyOfPem(pem).spki);
  const body = { name: "publisher", key, may: ["ingest"], repositories: ["*"] };
  assert.equal((await plane.call("POST", "/api/v1/identities", body)).status, 201);
  let [whileCollecting, named, removed] = [0, 0, 0];

  for (let round = 0; round < rounds; round += 1) {
    const client = new Client(plane);
    for (let i = 0; i < 8; i += 1) made.push(await pushed(client, `given up ${round}/${i}`));
    made.push({ ...(await pushed(client, `kept ${round}`, `kept-${round}`)), needed: `tag kept-${round}` });
    const listed = await pushed(client, `listed ${round}`);
    const index = await client.index(repository, [listed.descriptor], `index-${round}`);
    made.push({ ...listed, needed: "an index lists it" }, { ...index, needed: `tag index-${round}`, inDoubt: false });
    await makeOlder(dir);
    // Killed when so much has happened, however it comes: decisions of the collection, and answers to those who push meanwhile.
    let left = 1 + Math.floor(random() * random() * 90);
    const process = plane;
    let killed: Promise<void> | undefined;
    const happened = () => {
      left -= 1;
      if (left === 0) killed = process.kill();
    };
    const collecting = collect(process, happened).then(
      (n) => {
        removed += n;
        return true;
      },
      () => false,
    );
    const people = live(process, round, made, signer, () => {
      if (killed === undefined) whileCollecting += 1;
      happened();
    });
    const ended = await collecting;
    named += await people;
    if (ended) whileCollecting -= 1;
    await (killed ?? process.kill());

    plane = await PlaneProcess.start(t, dir);
    await requireWhole(new Client(plane), made);
  }

  assert.ok(whileCollecting > rounds, `${whileCollecting} answers came while a collection ran`);
  assert.ok(named > 0, "statements came while a collection ran");
  await makeOlder(dir);
  removed += await collect(plane, () => {});
  assert.ok(removed > 0);
  assert.equal(await collect(plane, () => {}), 0, "nothing is left for another collection");
  const reached = await requireWhole(new Client(plane), made);
  const files = await filesOf(join(dir, "registry"));
  const left = files.map((path) => path.split("/").at(-1)!).filter((name) => /^[0-9a-f]{64}$/.test(name));
  assert.deepEqual(left.sort(), [...reached].map((digest) => digest.slice("sha256:".length)).sort());
  for (const { descriptor, needed, inDoubt } of made)
    assert.ok(needed !== undefined || inDoubt || !reached.has(descriptor.digest), "nobody needs it");
});

async function pushed(client: Client, text: string, tag?: string): Promise<Made> {
  const { descriptor, bytes, response } = await client.image(repository, text, tag === undefined ? {} : { tag });
  assert.equal(response.status, 201);
  return { descriptor, bytes, needed: undefined, inDoubt: false };
}

/** Collects, with untagged manifests; how much was removed. Rejects when the plane goes away in the middle. */
async function collect({ url, adminToken }: PlaneProcess, onDecision: () => void): Promise<number> {
  const response = await fetch(`${url}/api/v1/registry/collect`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ untagged: true, grace: 3600 }),
  });
  assert.equal(response.status, 200);
  let [rest, decisions, done] = ["", 0, false];
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      done = "summary" in JSON.parse(line);
      if (done) continue;
      decisions += 1;
      onDecision();
    }
  }
  assert.ok(done, "the last line is the summary");
  return decisions;
}

/**
 * What people do meanwhile, until the plane is killed: push anew, put a tag on what is about to go, and state something about it. What
 * was acknowledged counts from then on. How many statements came.
 */
async function live(
  plane: PlaneProcess,
  round: number,
  made: Made[],
  signer: StatementSigner,
  onAnswer: () => void,
): Promise<number> {
  const client = new Client(plane);
  const before = [...made];
  let named = 0;
  const until = async (step: (i: number) => Promise<void>) => {
    for (let i = 0; i < 6; i += 1) {
      try {
        await step(i);
      } catch (error) {
        // The connection went with the plane.
        assert.ok(error instanceof TypeError, String(error));
        return;
      }
      onAnswer();
    }
  };
  const pushing = until(async (i) => {
    const tag = i % 2 === 0 ? `new-${round}-${i}` : undefined;
    const one = await pushed(client, `new ${round}/${i}`, tag);
    made.push(tag === undefined ? one : { ...one, needed: `tag ${tag}` });
  });
  const tagging = until(async (i) => {
    const one = before.at(-4 - i)!;
    const { digest, mediaType } = one.descriptor;
    one.inDoubt = true;
    const { status } = await client.manifest(repository, `saved-${round}-${i}`, one.bytes, mediaType);
    // Its parts may have gone already, and then it is refused as a whole.
    assert.ok([201, 404].includes(status), `${digest}: ${status}`);
    one.inDoubt = false;
    if (status === 201) one.needed ??= "a tag that came in time";
  });
  const stating = until(async (i) => {
    const one = before.at(-10 - (i % 3))!;
    const files = [{ name: "model", digest: one.descriptor.digest as Digest, size: one.descriptor.size }];
    const statement = ingestionStatement({ source: "https://data.example", license: "CC0-1.0", files });
    const envelope = await signStatement(statement, signer);
    one.inDoubt = true;
    const posted = await plane.call("POST", "/api/v1/statements", envelope.bytes, "application/vnd.dsse+json");
    assert.ok([200, 201].includes(posted.status), posted.text);
    named += 1;
    // It may have gone before the statement came; if not, it stays.
    if (await client.has(repository, one.descriptor.digest)) one.needed ??= "a statement that came in time";
    one.inDoubt = false;
  });
  await Promise.all([pushing, tagging, stating]);
  return named;
}

/** What is needed is there, and what is there is whole: each manifest has its parts, each part its bytes. The digests reached. */
async function requireWhole(client: Client, made: readonly Made[]): Promise<Set<string>> {
  const reached = new Set<string>();
  const get = async (path: string) => {
    const response = await client.request("GET", `${repository}/${path}`);
    return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
  };
  const walk = async (reference: string, needed: string | undefined): Promise<void> => {
    const { response, bytes } = await get(`manifests/${reference}`);
    if (response.status === 404 && needed === undefined) return;
    assert.equal(response.status, 200, `${reference}: ${needed}`);
    const digest = contentDigestOf(bytes);
    assert.equal(response.headers.get("docker-content-digest"), digest);
    reached.add(digest);
    const manifest = parseManifest(bytes, response.headers.get("content-type")!);
    const what = manifest.kind === "index" ? "manifests" : "blobs";
    for (const part of partsOf(manifest)) {
      if (reached.has(part.digest)) continue;
      const { response, bytes } = await get(`${what}/${part.digest}`);
      assert.equal(response.status, 200, `${digest} is served without its part ${part.digest}`);
      assert.equal(contentDigestOf(bytes), part.digest);
      reached.add(part.digest);
    }
  };
  for (const { descriptor, bytes, needed } of made) {
    await walk(descriptor.digest, needed);
    // What a repository says it still holds, whether a manifest names it or not, it gives out.
    for (const { digest } of partsOf(parseManifest(bytes, descriptor.mediaType))) {
      if (reached.has(digest)) continue;
      const said = await client.status("HEAD", `${repository}/blobs/${digest}`);
      const { response, bytes: content } = await get(`blobs/${digest}`);
      assert.equal(response.status, said);
      if (said === 200) assert.equal(contentDigestOf(content), digest);
    }
  }
  const { tags } = JSON.parse(new TextDecoder().decode((await get("tags/list")).bytes)) as { tags: string[] };
  for (const tag of tags) await walk(tag, "it has this tag");
  return reached;
}

/** Everything that the plane's registry holds becomes two days older. */
async function makeOlder(dir: string): Promise<void> {
  const db = await openSqlite(join(dir, "plane.db"));
  await db.run("UPDATE registry_blob SET touched = touched - ?", [2 * day]);
  await db.run("UPDATE registry_manifest SET pushed = pushed - ?", [2 * day]);
  await db.close();
  for (const path of await filesOf(join(dir, "registry"))) {
    const { mtimeMs } = await stat(path);
    await utimes(path, new Date(mtimeMs - 2 * day), new Date(mtimeMs - 2 * day));
  }
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}
