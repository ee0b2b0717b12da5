import protobuf from "protobufjs";

// The messages and fields of ONNX (onnx/onnx.proto) that a small feed-forward graph needs, with their published numbers.
const root = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: { id: 1, type: "int64" },
        producerName: { id: 2, type: "string" },
        graph: { id: 7, type: "GraphProto" },
        opsetImport: { id: 8, type: "OperatorSetIdProto", rule: "repeated" },
        metadataProps: { id: 14, type: "StringStringEntryProto", rule: "repeated" },
      },
    },
    OperatorSetIdProto: { fields: { domain: { id: 1, type: "string" }, version: { id: 2, type: "int64" } } },
    StringStringEntryProto: { fields: { key: { id: 1, type: "string" }, value: { id: 2, type: "string" } } },
    GraphProto: {
      fields: {
        node: { id: 1, type: "NodeProto", rule: "repeated" },
        name: { id: 2, type: "string" },
        initializer: { id: 5, type: "TensorProto", rule: "repeated" },
        input: { id: 11, type: "ValueInfoProto", rule: "repeated" },
        output: { id: 12, type: "ValueInfoProto", rule: "repeated" },
      },
    },
    NodeProto: {
      fields: {
        input: { id: 1, type: "string", rule: "repeated" },
        output: { id: 2, type: "string", rule: "repeated" },
        opType: { id: 4, type: "string" },
        attribute: { id: 5, type: "AttributeProto", rule: "repeated" },
      },
    },
    AttributeProto: {
      fields: {
        name: { id: 1, type: "string" },
        i: { id: 3, type: "int64" },
        type: { id: 20, type: "int32" },
      },
    },
    TensorProto: {
      fields: {
        dims: { id: 1, type: "int64", rule: "repeated" },
        dataType: { id: 2, type: "int32" },
        name: { id: 8, type: "string" },
        rawData: { id: 9, type: "bytes" },
        externalData: { id: 13, type: "StringStringEntryProto", rule: "repeated" },
        dataLocation: { id: 14, type: "int32" },
      },
    },
    ValueInfoProto: { fields: { name: { id: 1, type: "string" }, type: { id: 2, type: "TypeProto" } } },
    TypeProto: { fields: { tensorType: { id: 1, type: "TensorTypeProto" } } },
    TensorTypeProto: { fields: { elemType: { id: 1, type: "int32" }, shape: { id: 2, type: "TensorShapeProto" } } },
    TensorShapeProto: { fields: { dim: { id: 1, type: "DimensionProto", rule: "repeated" } } },
    DimensionProto: { fields: { dimValue: { id: 1, type: "int64" }, dimParam: { id: 2, type: "string" } } },
  },
});

/** TensorProto.DataType and AttributeProto.AttributeType, as far as they are used here. */
export const dataType = Object.freeze({ float: 1, int64: 7 });
export const attributeType = Object.freeze({ int: 2 });

/** A dimension is a number, or a name for one that is known only when the model runs. */
export type Dimension = number | string;

export interface Node {
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attributes?: Readonly<Record<string, number>>;
}

export interface Initializer {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: Float32Array | BigInt64Array;
  /** Name of the file beside the model that holds the values, from its first byte; left out, the model holds them. */
  readonly file?: string;
}

export interface Value {
  readonly name: string;
  readonly elementType: number;
  readonly dims: readonly Dimension[];
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Words about the model that go into its `metadata_props`, in this order. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The graph as an ONNX file: IR version 8, operator set 17. The same graph gives the same bytes. */
export function encodeOnnx(graph: Graph): Uint8Array<ArrayBuffer> {
  const message = {
    irVersion: 8,
    producerName: "tally",
    opsetImport: [{ domain: "", version: 17 }],
    metadataProps: Object.entries(graph.metadata ?? {}).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      node: graph.nodes.map(({ attributes = {}, ...node }) => ({
        ...node,
        attribute: Object.entries(attributes).map(([name, i]) => ({ name, i, type: attributeType.int })),
      })),
      initializer: graph.initializers.map(({ name, dims, values, file }) => ({
        name,
        dims,
        dataType: values instanceof Float32Array ? dataType.float : dataType.int64,
        ...(file === undefined ? { rawData: littleEndian(values) } : external(file, values)),
      })),
      input: graph.inputs.map(valueInfo),
      output: graph.outputs.map(valueInfo),
    },
  };
  const type = root.lookupType("ModelProto");
  return Uint8Array.from(type.encode(type.fromObject(message)).finish());
}

function valueInfo({ name, elementType, dims }: Value): object {
  const dim = dims.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: elementType, shape: { dim } } } };
}

const externalLocation = 1;

function external(file: string, values: Float32Array | BigInt64Array): object {
  const fields = { location: file, offset: "0", length: String(values.byteLength) };
  return {
    dataLocation: externalLocation,
    externalData: Object.entries(fields).map(([key, value]) => ({ key, value })),
  };
}

/** The bytes of an initializer as ONNX keeps them, in the model or in a file beside it. */
export function littleEndian(values: Float32Array | BigInt64Array): Uint8Array {
  const bytes = new Uint8Array(values.byteLength);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) {
    if (typeof value === "bigint") view.setBigInt64(i * 8, value, true);
    else view.setFloat32(i * 4, value, true);
  }
  return bytes;
}
