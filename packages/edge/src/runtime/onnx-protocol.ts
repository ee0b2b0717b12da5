/** A tensor between threads: ONNX Runtime's type name, its dims, and a typed array, or strings. */
export interface WireTensor {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** What ONNX Runtime holds a tensor's values in. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | readonly string[];

/** What the model's side says of one input or output. Symbolic dimensions keep their names. */
export interface ValueShape {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** A file with weights of a model: the measured bytes, and the path by which the model names it. */
export interface ExternalFile {
  readonly path: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** What the thread is started with: all bytes of the model that it will ever get. */
export interface ModelBytes {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly external: readonly ExternalFile[];
}

/** From the device to the thread that runs the model. */
export type ToWorker =
  | { readonly kind: "run"; readonly id: number; readonly feeds: readonly WireTensor[] }
  | { readonly kind: "release" };

/** From the thread that runs the model to the device. */
export type FromWorker =
  | { readonly kind: "ready"; readonly inputs: readonly ValueShape[]; readonly outputs: readonly ValueShape[] }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "result"; readonly id: number; readonly outputs: readonly WireTensor[]; readonly micros: number }
  | { readonly kind: "error"; readonly id: number; readonly message: string };
