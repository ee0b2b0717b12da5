import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { type TestContext, test } from "node:test";
import { createOutsideRegistry } from "../outside/outside-registry.ts";
import { contentDigestOf } from "../storage/content-digest.ts";
import { loopbackRegistry, serve } from "../testing/loopback-registry.ts";
import { errorOf, utf8 } from "../testing/pushes.ts";

const options = {
  authorize: async () => undefined,
  callerOf: async ({ headers }: IncomingMessage) => headers.authorization ?? "anonymous",
};
const content = utf8("0123456789");
const digest = contentDigestOf(content);

const send = (as: string, method: string, url: string, body?: Uint8Array, range?: string) =>
  fetch(url, {
    method,
    body: (body as BodyInit | undefined) ?? null,
    headers: { authorization: as, ...(range !== undefined && { "Content-Range": range }) },
  });

const places: Record<string, (t: TestContext) => Promise<string>> = {
  "the registry": async (t) => (await loopbackRegistry(t, options)).url,
  "a registry before another one": async (t) => {
    const { url } = await loopbackRegistry(t);
    const registry = createOutsideRegistry({ ...options, url, insecureHttp: true });
    return serve(t, (req, res) => void registry.handle(req, res));
  },
};

for (const [name, place] of Object.entries(places)) {
  test(`attack: another user goes on with, finishes, watches or cancels an upload in ${name}`, async (t) => {
    const url = await place(t);
    const begun = await send("alice", "POST", `${url}/v2/m/blobs/uploads/`);
    const upload = `${url}${begun.headers.get("location")}`;
    assert.equal((await send("alice", "PATCH", upload, content.subarray(0, 5), "0-4")).status, 202);
    const attempts = [
      await send("mallory", "PATCH", upload, utf8("poison"), "5-10"),
      await send("mallory", "PATCH", upload, utf8("poison")),
      await send("mallory", "PUT", `${upload}?digest=${contentDigestOf(content.subarray(0, 5))}`),
      await send("mallory", "GET", upload),
      await send("mallory", "DELETE", upload),
    ];
    // The words are those for an upload that never was: nobody learns that this one is.
    const unknown = (id: string) => send("mallory", "GET", `${url}/v2/m/blobs/uploads/${id}`).then(errorOf);
    const never = await unknown("00000000-0000-4000-8000-000000000000");
    for (const answer of attempts) {
      const { message, ...error } = await errorOf(answer);
      assert.deepEqual(error, { status: 404, code: "BLOB_UPLOAD_UNKNOWN" });
      const id = upload.split("/").at(-1)!;
      assert.equal(message.replace(id, "X"), never.message.replace("00000000-0000-4000-8000-000000000000", "X"));
    }
    const standing = await send("alice", "GET", upload);
    assert.equal(standing.headers.get("range"), "0-4");
    assert.equal((await send("alice", "PUT", `${upload}?digest=${digest}`, content.subarray(5))).status, 201);
    const whole = await send("alice", "GET", `${url}/v2/m/blobs/${digest}`);
    assert.equal(contentDigestOf(new Uint8Array(await whole.arrayBuffer())), digest);
  });
}

test("attack: one user begins uploads until nobody else can", async (t) => {
  const { url } = await loopbackRegistry(t, { ...options, limits: { uploads: 10, uploadsOfOne: 4 } });
  const begin = async (as: string) => (await send(as, "POST", `${url}/v2/m/blobs/uploads/`)).status;
  const statuses = [];
  for (let i = 0; i < 8; i += 1) statuses.push(await begin("mallory"));
  assert.deepEqual(statuses, [202, 202, 202, 202, 429, 429, 429, 429]);
  assert.equal(await begin("alice"), 202);
});
