import { DomainError } from "@parfocal/errors";
import type { DataType, TensorInfo } from "@tensorflow/tfjs";
import type { GraphType } from "../graph.ts";
import { tf } from "../tf.ts";
import { sentinelAt } from "./dimension.ts";
import type {
  Attributes,
  ConstantData,
  RecordedConstant,
  RecordedNode,
  RecordedOperand,
  RecordedValue,
} from "./recording.ts";

/** Shape and type of a value to be emitted. */
interface ValueType {
  readonly dtype: GraphType;
  readonly shape: readonly number[];
}

/** What a node has besides its operands and outputs. */
interface NodeOptions {
  readonly attributes?: Attributes;
  readonly domain?: string;
}

/** Collects the nodes of one run of a build function. Kernels emit into it through tensors whose data is a value. */
export interface Recorder {
  /** Adds a raw graph input. */
  input(type: ValueType): RecordedValue;
  /** Adds a constant; `name` keeps a caller's name. */
  constant(data: ConstantData, type: ValueType, name?: string): RecordedValue;
  /** A scalar f32 constant. */
  scalar(value: number, dtype?: "f32" | "i32"): RecordedValue;
  /** Adds a node with one output. */
  emit(op: string, operands: readonly RecordedOperand[], type: ValueType, options?: NodeOptions): RecordedValue;
  /** Adds a node with several outputs. */
  emitMany(
    op: string,
    operands: readonly RecordedOperand[],
    types: readonly ValueType[],
    options?: NodeOptions,
  ): RecordedValue[];
  /** The value behind a tensor. A tensor of another backend becomes a constant. */
  valueOf(info: TensorInfo): RecordedValue;
  /** The node that produced a value, if one did. */
  producerOf(value: RecordedValue): RecordedNode | undefined;
  /** The data of a value that is a constant. */
  constantOf(value: RecordedValue): ConstantData | undefined;
  /** Runs `work` with `source` as the name given to what it emits. Names nest: `linear.gradient/Multiply`. */
  as<T>(source: string, work: () => T): T;
  /**
   * The number that stands for a size which follows from the symbolic ones by a formula of its own: a sentinel, the same for
   * every call with one `symbol`. The first call emits the formula, an i64 `[1]`. Nothing when all sizes are numbers.
   */
  deriveSize(symbol: string, emitFormula: () => RecordedValue): number | undefined;
  /** Whether sizes may stand for symbols. */
  readonly hasSymbols: boolean;
  readonly nodes: readonly RecordedNode[];
  readonly constants: readonly RecordedConstant[];
  /** Derived symbols in the order of their sentinels, and the values that hold their sizes. */
  readonly derived: ReadonlyMap<string, RecordedValue>;
}

/** What stands for symbols in a recording. */
export interface RecorderOptions {
  /** Number of symbols that the graph's inputs have. */
  readonly nSymbols?: number;
  /** Which of the two recordings of a capture this is. */
  readonly which?: 0 | 1;
  /** Called for a tensor that was made outside, in the recording around this one; gives what stands for it here. */
  readonly capture?: (info: TensorInfo) => RecordedValue;
}

/** What the capture backend uses as a tfjs data id. */
export interface ValueHandle {
  readonly value: RecordedValue;
}

/** A tfjs tensor info over a value, with another view of its shape if given. */
export function infoOf(value: RecordedValue): TensorInfo {
  const dtype = tfjsDtypeOf(value.dtype);
  return { dataId: { value } satisfies ValueHandle, shape: [...value.shape], dtype };
}

/** The dtype under which tfjs sees a value. @throws {DomainError} INTERNAL for types that never reach tfjs. */
function tfjsDtypeOf(dtype: GraphType): DataType {
  if (dtype === "f32") return "float32";
  if (dtype === "i32") return "int32";
  if (dtype === "bool") return "bool";
  throw new DomainError("INTERNAL", `a value of type ${dtype} reached a tensor, which holds f32, i32 or bool`);
}

/** The graph type of a tfjs dtype. @throws {DomainError} UNSUPPORTED_OPERATION for strings and complex numbers. */
export function graphTypeOf(dtype: string): "f32" | "i32" | "bool" {
  if (dtype === "float32") return "f32";
  if (dtype === "int32") return "i32";
  if (dtype === "bool") return "bool";
  throw new DomainError(
    "UNSUPPORTED_OPERATION",
    `tensors of dtype ${dtype} cannot be captured, only float32, int32 and bool`,
  );
}

/** A new, empty recorder. */
export function createRecorder({ nSymbols = 0, which = 0, capture }: RecorderOptions = {}): Recorder {
  const nodes: RecordedNode[] = [];
  const constants: RecordedConstant[] = [];
  const producers = new Map<number, RecordedNode>();
  const constantData = new Map<number, ConstantData>();
  const derived = new Map<string, RecordedValue>();
  const foreign = new WeakMap<object, RecordedValue>();
  const own = new WeakSet<RecordedValue>();
  let nextId = 0;
  let source = "";

  const createValue = ({ dtype, shape }: ValueType): RecordedValue => {
    const value: RecordedValue = { id: nextId++, dtype, shape: [...shape] };
    own.add(value);
    return value;
  };

  const recorder: Recorder = {
    nodes,
    constants,
    derived,
    hasSymbols: nSymbols > 0,
    deriveSize(symbol, emitFormula) {
      if (nSymbols === 0) return undefined;
      if (!derived.has(symbol)) derived.set(symbol, emitFormula());
      return sentinelAt(nSymbols + [...derived.keys()].indexOf(symbol)).values[which];
    },
    input: createValue,
    constant(data, type, name) {
      const value = createValue(type);
      constants.push({ value, data, name });
      constantData.set(value.id, data);
      return value;
    },
    scalar(value, dtype = "f32") {
      const data = dtype === "f32" ? Float32Array.of(value) : Int32Array.of(value);
      return recorder.constant(data, { dtype, shape: [] });
    },
    emit(op, operands, type, options) {
      const [value] = recorder.emitMany(op, operands, [type], options);
      if (value === undefined) throw new DomainError("INTERNAL", `${op} gave no value`);
      return value;
    },
    emitMany(op, operands, types, options = {}) {
      const outputs = types.map(createValue);
      const node: RecordedNode = {
        op,
        domain: options.domain ?? "",
        attributes: options.attributes ?? {},
        operands: [...operands],
        outputs,
        source,
      };
      nodes.push(node);
      for (const output of outputs) producers.set(output.id, node);
      return outputs;
    },
    valueOf(info) {
      const handle = info.dataId as Partial<ValueHandle>;
      if (handle.value !== undefined) {
        if (own.has(handle.value)) return handle.value;
        if (capture !== undefined) return capture(info);
        throw new DomainError("UNSUPPORTED_OPERATION", `${source}: reads a tensor that was made in another capture`);
      }
      const known = foreign.get(info.dataId);
      if (known !== undefined) return known;
      const data = tf.engine().readSync(info.dataId) as ConstantData;
      const value = recorder.constant(data, { dtype: graphTypeOf(info.dtype), shape: info.shape });
      foreign.set(info.dataId, value);
      return value;
    },
    producerOf: (value) => producers.get(value.id),
    constantOf: (value) => constantData.get(value.id),
    as(name, work) {
      const outer = source;
      source = outer === "" ? name : `${outer}/${name}`;
      try {
        return work();
      } finally {
        source = outer;
      }
    },
  };
  return recorder;
}

let active: Recorder | undefined;

/** The recorder of the capture that is running, if one is. */
export function activeRecorder(): Recorder | undefined {
  return active;
}

/** Runs `work` with `recorder` active inside the recording that is running, for the body of a loop. */
export function withInnerRecorder<T>(recorder: Recorder, work: () => T): T {
  const outer = active;
  active = recorder;
  try {
    return work();
  } finally {
    active = outer;
  }
}

/** Runs `work` with `recorder` active. @throws {DomainError} PRECONDITION_FAILED inside another capture. */
export function withRecorder<T>(recorder: Recorder, work: () => T): T {
  if (active !== undefined) throw new DomainError("PRECONDITION_FAILED", "a capture cannot start inside another one");
  active = recorder;
  try {
    return work();
  } finally {
    active = undefined;
  }
}
