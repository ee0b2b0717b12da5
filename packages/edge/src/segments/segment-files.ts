import { type FileEntry, memoryFile } from "@tally/oci";
import type { BuiltRows } from "./build-rows.ts";
import { encodePayloads } from "./payload-sequence.ts";
import { renderTableFiles } from "./tables.ts";

/** The files of a segment: the tables, what they are rendered from, and the proof. */
export function segmentFiles({ rows, late, used }: BuiltRows, proof: Uint8Array): readonly FileEntry[] {
  return [
    ...renderTableFiles(rows, late).map(([name, bytes]) => memoryFile(`data/${name}`, bytes)),
    memoryFile("data/payloads.cborseq", encodePayloads(used)),
    memoryFile("proof/proof.cbor", proof),
  ];
}
