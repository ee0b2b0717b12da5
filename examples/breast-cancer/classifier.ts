import { featureNames } from "./dataset.ts";
import { sigmoid } from "./exponential.ts";

/** One dense layer: `outputs[j] = bias[j] + Σ inputs[i] · weights[i · outputs + j]`. */
export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/**
 * A trained classifier: standardise each feature with `mean` and `scale`, go through the layers with a rectifier between
 * them, end in a sigmoid. One layer is logistic regression. All parameters are float32, the very ones the ONNX file holds.
 */
export interface Classifier {
  readonly mean: Float32Array;
  readonly scale: Float32Array;
  readonly layers: readonly Layer[];
}

/** At and above this probability a patient is called malignant. */
export const threshold = 0.5;

/** The probability, 0 to 1, that the mass is malignant. */
export function predict(classifier: Classifier, features: ArrayLike<number>): number {
  if (features.length !== featureNames.length) {
    throw new Error(`a patient has ${featureNames.length} features, not ${features.length}`);
  }
  let values = Float64Array.from(classifier.mean, (mean, i) => (features[i]! - mean) / classifier.scale[i]!);
  const last = classifier.layers.length - 1;
  for (const [depth, layer] of classifier.layers.entries()) {
    values = dense(layer, values);
    if (depth < last) values = values.map((value) => (value > 0 ? value : 0));
  }
  return sigmoid(values[0]!);
}

/** One layer before its activation. */
export function dense(
  layer: Omit<Layer, "weights" | "bias"> & DenseParameters,
  inputs: Float64Array,
): Float64Array<ArrayBuffer> {
  const outputs = Float64Array.from(layer.bias);
  for (let i = 0; i < layer.inputs; i++) {
    const input = inputs[i]!;
    for (let j = 0; j < layer.outputs; j++) outputs[j]! += input * layer.weights[i * layer.outputs + j]!;
  }
  return outputs;
}

interface DenseParameters {
  readonly weights: Float32Array | Float64Array;
  readonly bias: Float32Array | Float64Array;
}
