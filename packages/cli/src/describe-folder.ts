import type { FileEntry, Kitfile } from "@tally/oci";
import { usageError } from "./terminal/index.ts";

const models = [".onnx", ".safetensors", ".gguf", ".pt", ".pth", ".tflite", ".keras", ".h5", ".joblib", ".bin"];
const documents = /\.(md|txt|rst|pdf)$|^(licen[cs]e|readme|notice)$/i;
const datasets = /\.(csv|tsv|jsonl|parquet|arrow)$/i;
const code = /\.(py|ts|js|mjs|ipynb|sh|c|cpp|rs|go|java)$/i;

/**
 * A Kitfile for a folder that has none, from the names of its files: the largest model file is the model, documents, data
 * and code are what their names say, all else is part of the model. Every file has a place.
 *
 * @throws CliError usage where no file looks like a model
 */
export function describeFolder(name: string, files: readonly FileEntry[]): Kitfile {
  const [model] = files
    .filter((file) => models.some((ending) => file.name.toLowerCase().endsWith(ending)))
    .sort((a, b) => b.size - a.size);
  if (model === undefined) {
    throw usageError(
      `no file of ${name} looks like a model (${models.join(" ")})`,
      "write a Kitfile, and give it with --kitfile",
    );
  }
  const paths = (fits: (name: string) => boolean) =>
    files.filter((file) => file !== model && fits(file.name)).map((file) => ({ path: file.name }));
  const [docs, data, sources] = [documents, datasets, code].map((pattern) => paths((path) => pattern.test(path)));
  const parts = paths((path) => ![documents, datasets, code].some((pattern) => pattern.test(path)));
  return {
    manifestVersion: "1.0.0",
    package: { name },
    model: { name, path: model.name, ...(parts.length > 0 && { parts }) },
    ...(sources!.length > 0 && { code: sources! }),
    ...(data!.length > 0 && { datasets: data!.map((set) => ({ name: set.path, ...set })) }),
    ...(docs!.length > 0 && { docs: docs! }),
  };
}
