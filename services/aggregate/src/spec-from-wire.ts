import { commonV1 } from "@parfocal/protocol";
import { choice, defined, type Fields, missing, optimiserFromWire } from "@parfocal/stage";
import { architectureFromWire } from "./architecture-from-wire.ts";
import { taskFromWire } from "./task-wire.ts";

/**
 * The training specification of a request as the JSON that `parseTrainSpec` reads. What the client left out is left out:
 * defaults and bounds live in one place, behind that reader.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a missing part or an enum value that means nothing.
 */
export function trainSpecFromWire(spec: commonV1.TrainingSpec | undefined): Fields {
  if (spec?.task === undefined) throw missing("spec.task");
  if (spec.architecture === undefined) throw missing("spec.architecture");
  const { architecture, recipe, split, threshold, task, groups, calibration, outliers } = spec;
  return defined({
    model: {
      ...architectureFromWire(architecture),
      task: defined({ ...taskFromWire(task), link: architecture.singleLogit ? "sigmoid" : undefined }),
    },
    ...(recipe === undefined ? {} : recipeFromWire(recipe)),
    split: split && defined({ validationFraction: split.validationFraction, testFraction: split.testFraction }),
    threshold: threshold && thresholdFromWire(threshold),
    groups: groups && groupsFromWire(groups),
    calibration: calibration && calibrationFromWire(calibration),
    outliers: outliers && outliersFromWire(outliers),
  });
}

function recipeFromWire(recipe: commonV1.Recipe): Fields {
  const classWeights = {
    CLASS_WEIGHTS_UNSPECIFIED: undefined,
    CLASS_WEIGHTS_NONE: "none",
    CLASS_WEIGHTS_BALANCED: "balanced",
  };
  const selections = { SELECTION_UNSPECIFIED: undefined, SELECTION_LAST: "last", SELECTION_BEST: "best" };
  return {
    epochs: recipe.epochs,
    batchSize: recipe.batchSize,
    optimiser: recipe.optimiser && optimiserFromWire(recipe.optimiser),
    schedule: recipe.schedule && scheduleFromWire(recipe.schedule),
    earlyStopping: recipe.earlyStopping && stoppingFromWire(recipe.earlyStopping),
    labelSmoothing: recipe.labelSmoothing,
    classWeights: choice<string | undefined>(
      "recipe.class_weights",
      classWeights,
      commonV1.recipe_ClassWeightsToJSON(recipe.classWeights),
    ),
    sampling: choice<string | undefined>(
      "recipe.sampling",
      { SAMPLING_UNSPECIFIED: undefined, SAMPLING_SHUFFLE: "shuffle", SAMPLING_BALANCED: "balanced" },
      commonV1.recipe_SamplingToJSON(recipe.sampling),
    ),
    selection: choice<string | undefined>(
      "recipe.selection",
      selections,
      commonV1.recipe_SelectionToJSON(recipe.selection),
    ),
    mixSurrogateLevels: recipe.mixSurrogateLevels,
    seed: recipe.seed.toString(),
    layerDecay: recipe.layerDecay,
    frozenEpochs: recipe.frozenEpochs,
  };
}

function scheduleFromWire({ kind, ...numbers }: commonV1.Schedule): Fields {
  const kinds = {
    KIND_UNSPECIFIED: undefined,
    KIND_CONSTANT: "constant",
    KIND_COSINE: "cosine",
    KIND_PLATEAU: "plateau",
  };
  return defined({
    kind: choice<string | undefined>("schedule.kind", kinds, commonV1.schedule_KindToJSON(kind)),
    ...numbers,
  });
}

function stoppingFromWire({ metric, patience, minEpochs }: commonV1.EarlyStopping): Fields {
  const metrics = { METRIC_UNSPECIFIED: undefined, METRIC_AUROC: "auroc", METRIC_LOSS: "loss", METRIC_TASK: "task" };
  return defined({
    metric: choice<string | undefined>("early_stopping.metric", metrics, commonV1.earlyStopping_MetricToJSON(metric)),
    patience,
    minEpochs,
  });
}

function calibrationFromWire({ coverage, score, isClassConditional }: commonV1.CalibrationOptions): Fields {
  const scores = { SCORE_UNSPECIFIED: undefined, SCORE_LAC: "lac", SCORE_APS: "aps" };
  const word = choice<string | undefined>("calibration.score", scores, commonV1.calibrationOptions_ScoreToJSON(score));
  return defined({ coverage, score: word, isClassConditional });
}

function outliersFromWire({ action, percentile }: commonV1.OutlierOptions): Fields {
  const actions = {
    ...{ ACTION_UNSPECIFIED: undefined, ACTION_FLAG: "flag" },
    ...{ ACTION_REFUSE: "refuse", ACTION_NONE: "none" },
  };
  const word = choice<string | undefined>("outliers.action", actions, commonV1.outlierOptions_ActionToJSON(action));
  return defined({ action: word, percentile });
}

function groupsFromWire({ kind, negatives }: commonV1.GroupRule): Fields {
  const kinds = {
    ...{ KIND_UNSPECIFIED: "none", KIND_NONE: "none", KIND_MIN_LOSS: "min-loss" },
    ...{ KIND_JOINED: "joined", KIND_MEAN: "mean", KIND_MAX: "max" },
  };
  const words = {
    NEGATIVES_UNSPECIFIED: undefined,
    NEGATIVES_MIN: "min",
    NEGATIVES_MEAN: "mean",
    NEGATIVES_MAX: "max",
  };
  return defined({
    kind: choice("groups.kind", kinds, commonV1.groupRule_KindToJSON(kind)),
    negatives: choice<string | undefined>("groups.negatives", words, commonV1.groupRule_NegativesToJSON(negatives)),
  });
}

function thresholdFromWire({ kind, value }: commonV1.ThresholdRule): Fields {
  const kinds = {
    KIND_UNSPECIFIED: { kind: "youden" },
    KIND_YOUDEN: { kind: "youden" },
    KIND_F1: { kind: "max-f1" },
    KIND_SENSITIVITY: { kind: "sensitivity", target: value },
    KIND_FIXED: { kind: "fixed", value },
  };
  return choice<Fields>("threshold.kind", kinds, commonV1.thresholdRule_KindToJSON(kind));
}
