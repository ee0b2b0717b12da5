import { type Classifier, threshold } from "./classifier.ts";
import { featureNames } from "./dataset.ts";
import { dataType, encodeOnnx, type Initializer, type Node } from "./onnx-schema.ts";

/**
 * The classifier as an ONNX file that takes patients as they come: scaling is part of the graph.
 *
 *   features    float32 [N, 30]   the table's columns, unscaled
 *   probability float32 [N, 1]    that the mass is malignant
 *   label       int64   [N]       1 malignant, 0 benign
 */
export function classifierToOnnx(classifier: Classifier): Uint8Array<ArrayBuffer> {
  const width = featureNames.length;
  const nodes: Node[] = [
    { opType: "Sub", input: ["features", "mean"], output: ["centred"] },
    { opType: "Div", input: ["centred", "scale"], output: ["values_0"] },
  ];
  const initializers: Initializer[] = [
    { name: "mean", dims: [width], values: classifier.mean },
    { name: "scale", dims: [width], values: classifier.scale },
  ];
  const last = classifier.layers.length - 1;
  for (const [depth, layer] of classifier.layers.entries()) {
    const weights = `weights_${depth}`;
    const bias = `bias_${depth}`;
    const sums = `sums_${depth}`;
    initializers.push({ name: weights, dims: [layer.inputs, layer.outputs], values: layer.weights });
    initializers.push({ name: bias, dims: [layer.outputs], values: layer.bias });
    nodes.push({ opType: "Gemm", input: [`values_${depth}`, weights, bias], output: [sums] });
    const output = depth === last ? "probability" : `values_${depth + 1}`;
    nodes.push({ opType: depth === last ? "Sigmoid" : "Relu", input: [sums], output: [output] });
  }
  initializers.push({ name: "threshold", dims: [1], values: Float32Array.of(threshold) });
  initializers.push({ name: "column", dims: [1], values: BigInt64Array.of(1n) });
  nodes.push(
    { opType: "GreaterOrEqual", input: ["probability", "threshold"], output: ["malignant"] },
    { opType: "Squeeze", input: ["malignant", "column"], output: ["malignant_flat"] },
    { opType: "Cast", input: ["malignant_flat"], output: ["label"], attributes: { to: dataType.int64 } },
  );
  return encodeOnnx({
    name: "breast_cancer",
    nodes,
    initializers,
    inputs: [{ name: "features", elementType: dataType.float, dims: ["N", width] }],
    outputs: [
      { name: "probability", elementType: dataType.float, dims: ["N", 1] },
      { name: "label", elementType: dataType.int64, dims: ["N"] },
    ],
    metadata: { features: featureNames.join(","), labels: "0=benign,1=malignant" },
  });
}
