/**
 * @file The classic multiple-instance protocol: 10 folds stratified by bag, features standardised on the training folds,
 * the last epoch, fixed seeds, mean ± sd over repeats. Network and recipes of the original paper (Ilse et al. 2018, tables of
 * its supplement): fc 256-128-64 with ReLU and dropout 0.5, attention 64, one bag per step, SGD with momentum 0.9.
 */
import { commonV1 } from "@parfocal/protocol";

/** How one data set is trained, and what a reference implementation reached under the same protocol. */
export interface MilSet {
  readonly name: string;
  readonly epochs: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Published mean accuracy (plain, gated); absent where none is. */
  readonly published?: readonly [number, number];
  /** Accuracy and AUROC of one repeat of a PyTorch reference run (plain, gated). */
  readonly reference: { readonly accuracy: readonly [number, number]; readonly auroc: readonly [number, number] };
}

/** The data sets of the protocol. */
export const MIL_SETS: readonly MilSet[] = [
  {
    name: "musk1",
    epochs: 100,
    learningRate: 5e-4,
    weightDecay: 5e-3,
    published: [0.892, 0.9],
    reference: { accuracy: [0.87, 0.87], auroc: [0.943, 0.947] },
  },
  {
    name: "elephant",
    epochs: 100,
    learningRate: 1e-4,
    weightDecay: 5e-3,
    published: [0.868, 0.857],
    reference: { accuracy: [0.885, 0.87], auroc: [0.936, 0.945] },
  },
  {
    name: "fox",
    epochs: 100,
    learningRate: 5e-4,
    weightDecay: 5e-3,
    published: [0.615, 0.603],
    reference: { accuracy: [0.51, 0.53], auroc: [0.539, 0.539] },
  },
  {
    name: "birds",
    epochs: 40,
    learningRate: 5e-4,
    weightDecay: 5e-3,
    reference: { accuracy: [0.956, 0.956], auroc: [0.988, 0.988] },
  },
];

/** What may differ between trainings on a data set. */
export interface MilOptions {
  readonly head: NonNullable<commonV1.Head["kind"]>;
  /** In front of the network; absent: none. */
  readonly reembedder: commonV1.Reembedder | undefined;
  readonly seed: number;
}

/** What the gateway is asked to train for a data set. */
export function specOf(set: MilSet, options: MilOptions): commonV1.TrainingSpec {
  return commonV1.TrainingSpec.fromPartial({
    task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["0", "1"] },
    architecture: {
      standardise: true,
      // The paper's network has one output; heads of other papers have one per class.
      singleLogit: options.head.$case === "abmil",
      ...(options.reembedder && { reembedder: options.reembedder }),
      head: {
        trunk: { hidden: [256, 128, 64], activation: commonV1.Activation.ACTIVATION_RELU, dropout: 0.5 },
        kind: options.head,
      },
    },
    recipe: {
      epochs: set.epochs,
      optimiser: {
        kind: commonV1.Optimiser_Kind.KIND_SGD,
        learningRate: set.learningRate,
        weightDecay: set.weightDecay,
        momentum: 0.9,
      },
      selection: commonV1.Recipe_Selection.SELECTION_LAST,
      seed: BigInt(options.seed),
    },
    threshold: { kind: commonV1.ThresholdRule_Kind.KIND_FIXED, value: 0.5 },
  });
}
