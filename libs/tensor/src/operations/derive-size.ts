import { activeRecorder } from "../capture/recorder.ts";
import { createGraphMath, eachSize, type IntegerFormula, numberMath, sizeVector } from "./integer-math.ts";

/** What {@link deriveSize} derives. */
export interface DerivedSize<From extends readonly number[]> {
  /** Name of the size in captured graphs. Equal names must mean equal formulas over equal sizes. */
  readonly symbol: string;
  /** The sizes that the formula takes, in its order. */
  readonly from: From;
  readonly formula: IntegerFormula<From>;
}

/**
 * A size that follows from others by whole-number arithmetic, for shapes that are not linear in N (the side of a square). Run
 * eagerly, or captured with fixed sizes, this is the formula's value. In a capture with symbolic sizes it is a symbol of its own:
 * the number returned stands for it in shapes, and the graph computes its value at run time. The proof then knows no relation
 * between the new symbol and the old ones; what leads from one to the other is an operation such as `placeRows`.
 *
 * @throws {DomainError} INVALID_ARGUMENT when a capture has more than eight symbols.
 */
export function deriveSize<const From extends readonly number[]>({ symbol, from, formula }: DerivedSize<From>): number {
  const value = formula(
    numberMath,
    eachSize(from, (size) => size),
  );
  const recorder = activeRecorder();
  if (recorder === undefined) return value;
  const emitFormula = () =>
    recorder.as(`deriveSize/${symbol}`, () =>
      formula(
        createGraphMath(recorder),
        eachSize(from, (size) => sizeVector(recorder, size)),
      ),
    );
  return recorder.deriveSize(symbol, emitFormula) ?? value;
}
