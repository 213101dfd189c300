import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import type { Recorder } from "../capture/recorder.ts";
import type { RecordedValue } from "../capture/recording.ts";
import { emitBinary } from "../kernels/binary.ts";
import { cast, reshape } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

// Legend: N tiles, F frequencies of an axis.

/** Frequencies as whole steps of a turn: cell g is turned by `g · steps[j] / stepsPerTurn` of a full turn. */
export interface Frequencies {
  /** Steps per cell, whole numbers below 2^44. */
  readonly steps: readonly number[];
  /** Even, at most 2^44, so that 2^18 cells stay exact in 64-bit integers. */
  readonly stepsPerTurn: number;
}

/** Cells beyond this would leave 64-bit integers; 2^18 tiles of 256 pixels are 67 million pixels. */
export const MAX_GRID_CELL = 2 ** 18;

const MAX_STEPS_PER_TURN = 2 ** 44;

/** One axis of the grid, `[N, 1]` i64. */
function column(recorder: Recorder, grid: RecordedValue, axis: number): RecordedValue {
  const shape = [grid.shape[0] ?? 1, 1];
  const dims = (value: number) => ({ dims: [value] });
  return recorder.emit("Slice", [grid, dims(axis), dims(axis + 1), dims(1)], { dtype: "i64", shape });
}

const angles = defineOperation<readonly [Tensor], Frequencies>({
  name: "gridAngles",
  emit(recorder, [grid], { steps, stepsPerTurn }) {
    const whole = cast(recorder, grid, "i64");
    const i64 = (values: readonly number[]) =>
      recorder.constant(BigInt64Array.from(values, BigInt), { dtype: "i64", shape: [values.length] });
    const parts = [0, 1].map((axis) => emitBinary(recorder, "Mul", column(recorder, whole, axis), i64(steps))); // [N, F]
    const shape = [grid.shape[0] ?? 1, 2, steps.length];
    const joined = recorder.emit(
      "Concat",
      parts.map((part) => reshape(recorder, part, [shape[0] ?? 1, 1, steps.length])),
      { dtype: "i64", shape },
      { attributes: { axis: { kind: "int", value: 1 } } },
    ); // [N, 2, F]
    const half = i64([stepsPerTurn / 2]);
    const shifted = emitBinary(recorder, "Mod", emitBinary(recorder, "Add", joined, half), i64([stepsPerTurn]));
    const centred = cast(recorder, emitBinary(recorder, "Sub", shifted, half), "f32");
    const turned = emitBinary(recorder, "Mul", centred, recorder.scalar((2 * Math.PI) / stepsPerTurn));
    return reshape(recorder, turned, [shape[0] ?? 1, 2 * steps.length]);
  },
  eager([grid], { steps, stepsPerTurn }) {
    const cells = grid.dataSync();
    const values = Array.from(cells).flatMap((cell) => steps.map((step) => angleOf(cell, step, stepsPerTurn)));
    return tf.tensor(values, [grid.shape[0] ?? 1, 2 * steps.length], "float32");
  },
  gradient: (_dy, { inputs: [grid] }) => [tf.zerosLike(grid)],
});

/** In f64 with exact integers: the remainder of a product that 53 bits may not hold. */
function angleOf(cell: number, step: number, stepsPerTurn: number): number {
  const turn = BigInt(stepsPerTurn);
  const rest = Number((((BigInt(cell) * BigInt(step)) % turn) + turn) % turn);
  return ((rest > stepsPerTurn / 2 ? rest - stepsPerTurn : rest) / stepsPerTurn) * 2 * Math.PI;
}

/**
 * Angles of tiles on a grid: `grid` [N, 2] i32 (x, y), |cell| at most 2^18, gives [N, 2F] f32 in radians within ±π, first the
 * F angles of x, then those of y. Whole turns are taken off in 64-bit integers before anything becomes a float, so sine and
 * cosine are good to 1e-6 however far from the origin the tile lies. No gradient.
 *
 * @throws {DomainError} SHAPE_MISMATCH when `grid` is not [N, 2]; INVALID_ARGUMENT for steps that are not whole or too many.
 */
export function gridAngles(grid: Tensor, frequencies: Frequencies): Tensor {
  if (grid.rank !== 2 || grid.shape[1] !== 2)
    throw new DomainError("SHAPE_MISMATCH", `gridAngles: grid is [${grid.shape.join(", ")}]; it must be [N, 2]`);
  const { steps, stepsPerTurn } = frequencies;
  const isWhole = [...steps, stepsPerTurn / 2].every(Number.isInteger);
  if (!isWhole || stepsPerTurn > MAX_STEPS_PER_TURN || steps.some((step) => step > stepsPerTurn)) {
    const message = `gridAngles: ${stepsPerTurn} steps per turn; whole steps and an even number of at most 2^44 are exact`;
    throw new DomainError("INVALID_ARGUMENT", message);
  }
  return angles([grid], frequencies);
}
