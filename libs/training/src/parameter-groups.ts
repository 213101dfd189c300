import { type ParameterSpec, sizeOfShape } from "@parfocal/models";
import { tf } from "@parfocal/tensor";

// Legend: P numbers of a flat vector, P' those of one group.

/**
 * What moves in an epoch. `joint`: everything, in one count of steps. `frozen`: the head alone. `thawed`: everything, the
 * re-embedder in a count of steps that begins where it was let go.
 */
export type Phase = "joint" | "frozen" | "thawed";

/** Parameters that move together. */
export type GroupName = "all" | "head" | "reembed";

/** The groups of a phase in the order of their hyper-parameters; the one that is left out stands still. */
export function movingGroups(phase: Phase): readonly GroupName[] {
  if (phase === "joint") return ["all"];
  return phase === "frozen" ? ["head"] : ["head", "reembed"];
}

/** The group of a parameter. */
export function groupOf({ name }: Pick<ParameterSpec, "name">, phase: Phase): GroupName {
  if (phase === "joint") return "all";
  return name.startsWith("reembed.") ? "reembed" : "head";
}

/** Cuts flat vectors `[P]` into groups and joins them again. Order within a group is that of the layout. */
export interface Partition {
  /** The parameters of a group. */
  specsOf(group: GroupName): readonly ParameterSpec[];
  /** A group's numbers `[P']`. */
  cut(flat: tf.Tensor1D, group: GroupName): tf.Tensor1D;
  /** `flat` `[P]` with the numbers of some groups replaced. */
  replace(flat: tf.Tensor1D, values: ReadonlyMap<GroupName, tf.Tensor1D>): tf.Tensor1D;
}

/** Neighbours in the layout that belong to one group. */
interface Stretch {
  readonly group: GroupName;
  readonly size: number;
}

/** The partition of a layout's trainable parameters in a phase. */
export function partitionOf(specs: readonly ParameterSpec[], phase: Phase): Partition {
  const stretches = stretchesOf(specs, phase);
  const sizesOf = (group: GroupName) => stretches.filter((stretch) => stretch.group === group).map(({ size }) => size);
  const splitInto = (flat: tf.Tensor1D, sizes: readonly number[]) => tf.split(flat, [...sizes]) as tf.Tensor1D[];
  const allSizes = stretches.map(({ size }) => size);
  return {
    specsOf: (group) => specs.filter((spec) => groupOf(spec, phase) === group),
    cut(flat, group) {
      if (stretches.every((stretch) => stretch.group === group)) return flat;
      return tf.concat1d(splitInto(flat, allSizes).filter((_, i) => stretches[i]?.group === group));
    },
    replace(flat, values) {
      const pieces = new Map([...values].map(([group, value]) => [group, splitInto(value, sizesOf(group))] as const));
      if (stretches.every(({ group }) => values.has(group)) && values.size === 1)
        return [...values.values()][0] ?? flat;
      const kept = splitInto(flat, allSizes);
      return tf.concat1d(stretches.flatMap(({ group }, i) => pieces.get(group)?.shift() ?? kept[i] ?? []));
    },
  };
}

function stretchesOf(specs: readonly ParameterSpec[], phase: Phase): Stretch[] {
  const stretches: Stretch[] = [];
  for (const spec of specs) {
    const group = groupOf(spec, phase);
    const size = sizeOfShape(spec.shape);
    const before = stretches.at(-1);
    if (before?.group === group) stretches[stretches.length - 1] = { group, size: before.size + size };
    else stretches.push({ group, size });
  }
  return stretches;
}

/** A vector that holds `value(spec)` for every number of each parameter: fills, which a graph carries as shapes. */
export function fillParameters(specs: readonly ParameterSpec[], value: (spec: ParameterSpec) => number): tf.Tensor1D {
  const runs: { value: number; size: number }[] = [];
  for (const spec of specs) {
    const last = runs.at(-1);
    const size = sizeOfShape(spec.shape);
    if (last?.value === value(spec)) last.size += size;
    else runs.push({ value: value(spec), size });
  }
  return tf.concat1d(runs.map((run) => tf.fill<tf.Rank.R1>([run.size], run.value)));
}
