import assert from "node:assert/strict";
import { test } from "node:test";
import { uploadPlace } from "./push-answers.ts";

const placeFrom = (registry: string, location: string) =>
  uploadPlace({ headers: new Headers({ location }) }, new URL(registry), "pushing").href;

test("an upload goes on where the registry says, also at another host", () => {
  assert.equal(placeFrom("https://r.example/v2/", "/v2/m/blobs/uploads/1"), "https://r.example/v2/m/blobs/uploads/1");
  assert.equal(placeFrom("https://r.example/v2/", "https://s.example/1"), "https://s.example/1");
  assert.equal(placeFrom("http://127.0.0.1:1/v2/", "http://127.0.0.1:2/1"), "http://127.0.0.1:2/1");
});

test("attack: a registry behind TLS has a model sent in the clear, or to what is no server", () => {
  for (const location of ["http://s.example/1", "http://r.example/1", "file:///tmp/x", "ftp://s.example/1"]) {
    assert.throws(() => placeFrom("https://r.example/v2/", location), { code: "protocol" }, location);
  }
  assert.throws(() => placeFrom("http://127.0.0.1:1/v2/", "data:text/plain,x"), { code: "protocol" });
});
