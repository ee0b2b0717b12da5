import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Role, roles } from "@tally/evidence";
import { type Route, routesOf } from "./index.ts";
import { type Answer, call, errorOf, json } from "./testing/plane-client.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { TestPlane } from "./testing/test-plane.ts";

type Who = Role | "nobody" | "stranger";

async function planeWithAll(t: TestContext): Promise<{ plane: TestPlane; tokens: Map<Who, string | undefined> }> {
  const plane = await TestPlane.start(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const tokens = new Map<Who, string | undefined>([
    ["nobody", undefined],
    ["stranger", "tly_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
    ["device", await device.token(plane)],
  ]);
  for (const role of roles) if (role !== "device") tokens.set(role, await plane.token(role));
  return { plane, tokens };
}

/** A path that the route takes, whatever it then says of what is asked for. */
function pathOf({ url }: Route): string {
  const digest = `sha256:${"0".repeat(64)}`;
  return url
    .replace(":digest", digest)
    .replace(":id", "0".repeat(32))
    .replace(":device", "0".repeat(32))
    .replace(":index", "0")
    .replace("*", "nothing/here");
}

/** The answer to a request that asks for nothing that there is: what matters is who is let through. */
function knock(plane: TestPlane, route: Route, token: string | undefined): Promise<Answer> {
  const { method } = route;
  return call(plane.url, method, pathOf(route), { token, ...(method === "GET" ? {} : { body: {} }) });
}

function turnedAway(answer: Answer): "unauthorized" | "forbidden" | undefined {
  const error = errorOf(answer);
  if (answer.status === 401) return "unauthorized";
  // A device asking for another device is turned away by what it asks for, not by its role.
  if (answer.status === 403 && /^the role \w+ may not do this$/.test(error?.message ?? "")) return "forbidden";
  return undefined;
}

test("every role on every route is let through or turned away as the table says", async (t) => {
  const { plane, tokens } = await planeWithAll(t);
  let tried = 0;
  for (const route of routesOf(plane.plane.parts)) {
    for (const [who, token] of tokens) {
      const answer = await knock(plane, route, token);
      const { access, method, url } = route;
      const unknown = who === "nobody" || who === "stranger";
      let expected: "unauthorized" | "forbidden" | undefined;
      if (access !== "public" && access !== "enrolment") {
        expected = unknown ? "unauthorized" : access.includes(who) ? undefined : "forbidden";
      }
      const about = `${who}: ${method} ${url} answers ${answer.status} ${answer.text.slice(0, 100)}`;
      if (access === "enrolment" && method === "GET") assert.equal(answer.status, 401, about);
      else if (access !== "enrolment" && url !== "/api/v1/sessions") assert.equal(turnedAway(answer), expected, about);
      assert.notEqual(answer.status, 500, about);
      tried += 1;
    }
  }
  assert.ok(tried >= 200, `${tried} tried`);
});

// Written out a second time on purpose: who may do what should not change by an edit in one place.
const kept: Record<string, readonly Who[]> = {
  "POST /api/v1/tokens": ["admin"],
  "POST /api/v1/enrolment-tokens": ["admin"],
  "POST /api/v1/identities": ["admin"],
  "POST /api/v1/statements": ["admin", "approver", "device", "publisher", "scientist"],
  "POST /add-checkpoint": ["device"],
  "POST /add-entries": ["device"],
  "PUT /api/v1/blobs/:digest": ["admin", "device", "publisher"],
  "POST /api/v1/registry/collect": ["admin"],
  "PUT /api/v1/registry/retention": ["admin"],
  "PUT /api/v1/registry/quotas": ["admin"],
  "GET /api/v1/data": ["admin", "auditor", "scientist"],
};

test("what changes the plane or shows payloads is for few roles", async (t) => {
  const plane = await TestPlane.start(t);
  const routes = new Map(routesOf(plane.plane.parts).map((route) => [`${route.method} ${route.url}`, route.access]));
  for (const [route, allowed] of Object.entries(kept)) {
    const access = routes.get(route);
    assert.ok(Array.isArray(access), route);
    assert.deepEqual([...access].sort(), [...allowed].sort(), route);
  }
  const open = [...routes].filter(([, access]) => access === "public").map(([route]) => route);
  assert.deepEqual(open.sort(), [
    "GET /healthz",
    "GET /readyz",
    "GET /verify",
    "POST /api/v1/sessions",
    "POST /api/v1/sessions/nonce",
  ]);
});

test("the OpenAPI document has every route, with who may call it", async (t) => {
  const plane = await TestPlane.start(t);
  const document = json<{ paths: Record<string, Record<string, { description: string; security: unknown[] }>> }>(
    await call(plane.url, "GET", "/openapi.json"),
  );
  for (const { method, url, access } of routesOf(plane.plane.parts)) {
    const path = url.replace(/:(\w+)/g, "{$1}").replace("*", "{*}");
    const operation = document.paths[path]?.[method.toLowerCase()];
    assert.ok(operation !== undefined, `${method} ${path}`);
    assert.equal(operation.security.length, access === "public" ? 0 : 1, path);
    if (typeof access !== "string") for (const role of access) assert.ok(operation.description.includes(role), path);
  }
});

test("the registry lets each role pull, push and delete as it may, and nobody without a token", async (t) => {
  const { plane, tokens } = await planeWithAll(t);
  const digest = `sha256:${"0".repeat(64)}`;
  const actions = {
    pull: ["GET", `/v2/models/x/manifests/${digest}`],
    push: ["POST", "/v2/models/x/blobs/uploads/"],
    delete: ["DELETE", `/v2/models/x/manifests/${digest}`],
  } as const;
  const may: Record<Role, readonly (keyof typeof actions)[]> = {
    admin: ["pull", "push", "delete"],
    publisher: ["pull", "push"],
    approver: ["pull"],
    auditor: ["pull"],
    scientist: ["pull", "push"],
    // Devices push beside what people have published: attacks/registry.test.ts.
    device: ["pull"],
  };
  for (const [who, token] of tokens) {
    for (const [action, [method, path]] of Object.entries(actions)) {
      const { status } = await call(plane.url, method, path, { token });
      const about = `${who} ${action}: ${status}`;
      if (who === "nobody" || who === "stranger") assert.equal(status, 401, about);
      else if (may[who].some((allowed) => allowed === action)) assert.ok(status !== 401 && status !== 403, about);
      else assert.equal(status, 403, about);
    }
  }
});

test("a token for some repositories opens no others", async (t) => {
  const plane = await TestPlane.start(t);
  const token = await plane.token("publisher", "models/*");
  const push = (repository: string) => call(plane.url, "POST", `/v2/${repository}/blobs/uploads/`, { token });
  assert.equal((await push("models/a")).status, 202);
  assert.equal((await push("other/a")).status, 403);
});

test("a token opens until it expires, and is stored only by its hash", async (t) => {
  let now = Date.now();
  const plane = await TestPlane.start(t, { clock: { now: () => now } });
  const answer = await plane.call("POST", "/api/v1/tokens", {
    body: { role: "auditor", expiresIn: 60, note: "visit" },
  });
  const { token, expires } = json<{ token: string; expires: number }>(answer);
  assert.match(token, /^tly_[\w-]{43}$/);
  assert.equal(expires, now + 60_000);
  assert.equal((await plane.call("GET", "/api/v1/devices", { token })).status, 200);
  now += 60_000;
  assert.equal((await plane.call("GET", "/api/v1/devices", { token })).status, 401);
  const rows = await plane.plane.parts.db.query("SELECT * FROM token");
  assert.ok(!JSON.stringify(rows).includes(token.slice(4)));
});
