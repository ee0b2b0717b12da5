import { type Classifier, dense } from "./classifier.ts";
import { featureNames, type Sample } from "./dataset.ts";
import { sigmoid } from "./exponential.ts";
import { type Random, seededRandom, shuffled } from "./random.ts";

/** Everything besides the data that decides what comes out. */
export interface Hyperparameters {
  readonly seed: number;
  /** Width of the hidden layer; 0 is logistic regression. */
  readonly hidden: number;
  /** How often all samples are gone through. */
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  /** Weight decay per step, on weights and not on biases. */
  readonly l2: number;
}

interface TrainingLayer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: Float64Array<ArrayBuffer>;
  readonly bias: Float64Array<ArrayBuffer>;
}

/**
 * Trains by mini-batch gradient descent on the cross-entropy. The same samples in the same order with the same
 * hyperparameters give the same bits on every machine: arithmetic is IEEE double, seeded, and free of engine-defined
 * functions; parameters are rounded to float32 at the end.
 */
export function trainClassifier(samples: readonly Sample[], hyperparameters: Hyperparameters): Classifier {
  const { seed, hidden, epochs, batch } = hyperparameters;
  if (!samples.some((sample) => sample.malignant) || samples.every((sample) => sample.malignant)) {
    throw new Error("training needs malignant and benign samples");
  }
  const { mean, scale } = standardisation(samples);
  const rows = samples.map((sample) => ({
    inputs: Float64Array.from(mean, (value, i) => (sample.features[i]! - value) / scale[i]!),
    target: sample.malignant ? 1 : 0,
  }));
  const random = seededRandom(seed);
  const widths = hidden === 0 ? [featureNames.length, 1] : [featureNames.length, hidden, 1];
  const layers = widths.slice(1).map((outputs, depth) => newLayer(widths[depth]!, outputs, random));
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = shuffled(rows, random);
    for (let from = 0; from < order.length; from += batch) {
      step(layers, order.slice(from, from + batch), hyperparameters);
    }
  }
  return Object.freeze({
    mean,
    scale,
    layers: layers.map(({ inputs, outputs, weights, bias }) =>
      Object.freeze({ inputs, outputs, weights: Float32Array.from(weights), bias: Float32Array.from(bias) }),
    ),
  });
}

function standardisation(samples: readonly Sample[]): { mean: Float32Array; scale: Float32Array } {
  const columns = featureNames.map((_, i) => samples.map((sample) => sample.features[i]!));
  const mean = Float32Array.from(columns, (column) => column.reduce((sum, value) => sum + value, 0) / column.length);
  const scale = Float32Array.from(columns, (column, i) => {
    const squares = column.reduce((sum, value) => sum + (value - mean[i]!) ** 2, 0);
    return Math.sqrt(squares / column.length) || 1;
  });
  return { mean, scale };
}

function newLayer(inputs: number, outputs: number, random: Random): TrainingLayer {
  const reach = 1 / Math.sqrt(inputs);
  const weights = Float64Array.from({ length: inputs * outputs }, () => (2 * random() - 1) * reach);
  return { inputs, outputs, weights, bias: new Float64Array(outputs) };
}

function step(
  layers: readonly TrainingLayer[],
  rows: readonly { inputs: Float64Array; target: number }[],
  { learningRate, l2 }: Hyperparameters,
): void {
  const gradients = layers.map((layer) => ({
    weights: new Float64Array(layer.weights.length),
    bias: new Float64Array(layer.bias.length),
  }));
  for (const row of rows) {
    const seen = [row.inputs];
    for (const [depth, layer] of layers.entries()) {
      const sums = dense(layer, seen[depth]!);
      seen.push(depth === layers.length - 1 ? sums.map(sigmoid) : sums.map((value) => (value > 0 ? value : 0)));
    }
    // Cross-entropy behind a sigmoid: the error of the last sum is prediction minus target.
    let errors = Float64Array.of(seen[layers.length]![0]! - row.target);
    for (let depth = layers.length - 1; depth >= 0; depth--) {
      const layer = layers[depth]!;
      const below = new Float64Array(layer.inputs);
      for (let i = 0; i < layer.inputs; i++) {
        const input = seen[depth]![i]!;
        for (let j = 0; j < layer.outputs; j++) {
          const at = i * layer.outputs + j;
          gradients[depth]!.weights[at]! += input * errors[j]!;
          if (depth > 0 && input > 0) below[i]! += layer.weights[at]! * errors[j]!;
        }
      }
      for (let j = 0; j < layer.outputs; j++) gradients[depth]!.bias[j]! += errors[j]!;
      errors = below;
    }
  }
  const rate = learningRate / rows.length;
  for (const [depth, layer] of layers.entries()) {
    const gradient = gradients[depth]!;
    for (let at = 0; at < layer.weights.length; at++) {
      layer.weights[at]! -= rate * gradient.weights[at]! + learningRate * l2 * layer.weights[at]!;
    }
    for (let j = 0; j < layer.bias.length; j++) layer.bias[j]! -= rate * gradient.bias[j]!;
  }
}
