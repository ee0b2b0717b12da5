// Published vectors of transparency-dev/merkle: proofs that hold and proofs that must be refused.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { concatBytes, fromBase64 } from "../bytes.ts";
import { asHash, type Hash } from "../digest.ts";
import { verifyConsistency, verifySubtreeConsistency } from "./consistency.ts";
import { verifyInclusion, verifySubtreeInclusion } from "./inclusion.ts";

interface Vector {
  readonly desc: string;
  readonly wantErr: boolean;
  readonly proof: readonly string[] | null;
  readonly [field: string]: unknown;
}

type Verify = (number: (field: string) => number, hash: (field: string) => Hash, proof: Hash[]) => void;

const folder = new URL("../../../../../shared/vectors/merkle/", import.meta.url);
const skip = existsSync(folder) ? false : "the published vectors are not here";

const verifiers: Record<string, Verify> = {
  inclusion: (number, hash, proof) =>
    verifyInclusion(number("leafIdx"), number("treeSize"), hash("leafHash"), proof, hash("root")),
  consistency: (number, hash, proof) =>
    verifyConsistency(number("size1"), number("size2"), hash("root1"), hash("root2"), proof),
  subtreeinclusion: (number, hash, proof) =>
    verifySubtreeInclusion(number("leafIdx"), number("start"), number("end"), hash("leafHash"), proof, hash("root")),
  subtreeconsistency: (number, hash, proof) =>
    verifySubtreeConsistency(number("start"), number("end"), number("size"), hash("root1"), hash("root2"), proof),
};

for (const [kind, verify] of Object.entries(verifiers)) {
  test(`every published ${kind} vector is accepted or refused as it says`, { skip }, () => {
    const verdicts = new Set<boolean>();
    for (const file of readdirSync(new URL(`${kind}/`, folder), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".json")) continue;
      const path = new URL(`${kind}/${file.split("/").map(encodeURIComponent).join("/")}`, folder);
      const vector = JSON.parse(readFileSync(path, "utf8")) as Vector;
      assert.equal(accepted(verify, vector), !vector.wantErr, `${file}: ${vector.desc}`);
      verdicts.add(vector.wantErr);
    }
    assert.deepEqual(verdicts, new Set([true, false]));
  });
}

function accepted(verify: Verify, vector: Vector): boolean {
  try {
    verify(
      (field) => (typeof vector[field] === "number" ? vector[field] : Number.NaN),
      (field) => readHash(typeof vector[field] === "string" ? vector[field] : ""),
      (vector.proof ?? []).map(readHash),
    );
    return true;
  } catch {
    return false;
  }
}

/** Some vectors have a short text where any hash would do; it is filled up, so that equal ones stay equal. */
function readHash(text: string): Hash {
  const bytes = fromBase64(text);
  if (bytes.length === 0 || bytes.length >= 32) return asHash(bytes);
  return asHash(concatBytes(bytes, new Uint8Array(32 - bytes.length)));
}
