import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeKitConfig, formatKitfile, parseKitConfig, parseKitfile } from "./index.ts";

const text = `manifestVersion: 1.0.0
package:
  name: breast-cancer
  version: 1.10
  authors: [Example Clinic]
model:
  name: classifier
  path: ./model/model.onnx
  framework: onnx
  parameters:
    seed: 1
    layers: [30, 8, 1]
datasets:
  - name: field
    path: data
    parameters: { device: 0f1e, from: "2026-01-01T00:00:00Z" }
docs:
  - path: README.md
`;

test("a Kitfile keeps its texts as they are written and its parameters as data", () => {
  const kitfile = parseKitfile(text);
  assert.equal(kitfile.package?.version, "1.10");
  assert.deepEqual(kitfile.model?.parameters, { seed: 1, layers: [30, 8, 1] });
  assert.deepEqual(kitfile.datasets?.[0]?.parameters, { device: "0f1e", from: "2026-01-01T00:00:00Z" });
});

test("formatting and parsing give the same Kitfile, as YAML and as config", () => {
  const kitfile = parseKitfile(text);
  assert.deepEqual(parseKitfile(formatKitfile(kitfile)), kitfile);
  assert.deepEqual(parseKitConfig(encodeKitConfig(kitfile)), kitfile);
});

for (const [fault, broken] of [
  ["an unknown field", text.replace("framework:", "frameworks:")],
  ["a field twice", text.replace("  framework: onnx", "  framework: onnx\n  framework: tf")],
  ["a digest, which only the config has", text.replace("framework: onnx", "digest: sha256:00")],
  ["no version of the format", text.replace("manifestVersion: 1.0.0\n", "")],
  ["a list where text belongs", text.replace("name: classifier", "name: [a]")],
  ["text where a list belongs", text.replace("authors: [Example Clinic]", "authors: me")],
  ["a number that JSON cannot hold", text.replace("seed: 1", "seed: .inf")],
  ["a tag of YAML's own", text.replace("seed: 1", "seed: !!binary AAAA")],
  [
    "aliases that multiply",
    `a: &a [1,1,1,1,1,1,1,1]\nb: &b [${"*a,".repeat(9)}*a]\nc: [${"*b,".repeat(20)}*b]\n${text}`,
  ],
  ["a second document", `${text}---\n${text}`],
  ["no YAML at all", "manifestVersion: [unclosed"],
] as const) {
  test(`a Kitfile with ${fault} is refused`, () => {
    assert.throws(() => parseKitfile(broken), { code: "modelkit-invalid" });
  });
}

test("a config of a later version may have fields that are not known here", () => {
  const config = { manifestVersion: "1.0.0", prompts: [], docs: [{ path: "a", digest: "sha256:1", mood: "good" }] };
  const kitfile = parseKitConfig(new TextEncoder().encode(JSON.stringify(config)));
  assert.deepEqual(kitfile, { manifestVersion: "1.0.0", docs: [{ path: "a", digest: "sha256:1" }] });
});
