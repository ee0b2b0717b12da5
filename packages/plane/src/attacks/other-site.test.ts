import assert from "node:assert/strict";
import { test } from "node:test";
import { TestPlane } from "../testing/test-plane.ts";

test("attack: a page in a browser that remembers a token as its password begins uploads and makes tokens", async (t) => {
  const plane = await TestPlane.start(t);
  const password = `Basic ${Buffer.from(`me:${plane.adminToken}`).toString("base64")}`;
  const { host } = new URL(plane.url);
  const send = (path: string, headers: Record<string, string>, type = "application/json") =>
    fetch(plane.url + path, {
      method: "POST",
      headers: { authorization: password, "content-type": type, ...headers },
      body: path.startsWith("/v2") ? "" : '{"role":"auditor"}',
    });
  const [upload, token] = ["/v2/a/model/blobs/uploads/", "/api/v1/tokens"];
  for (const headers of [
    { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
    { "sec-fetch-site": "same-site", origin: `http://evil.${host}` },
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: `http://${host}1` },
  ]) {
    for (const path of [upload, token]) {
      const answer = await send(path, headers, "text/plain");
      assert.equal(answer.status, 403, `${path} ${JSON.stringify(headers)}`);
      assert.equal(answer.headers.get("access-control-allow-origin"), null);
      assert.match(await answer.text(), /a page of another site/);
    }
  }
  // Its own origin, and programs, which say nothing of pages.
  for (const headers of [{}, { "sec-fetch-site": "same-origin" }, { origin: `http://${host}` }]) {
    assert.equal((await send(upload, headers)).status, 202);
    assert.equal((await send(token, headers)).status, 201);
  }
});
