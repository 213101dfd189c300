import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { type Column, type LazyTable, lazyRows, type Row } from "@parfocal/tables";
import { predictionCells, predictionColumns } from "../batch/prediction-columns.ts";

/** What a fold's model says of one bag that it has not seen. */
export interface FoldPrediction {
  readonly repeat: number;
  readonly fold: number;
  /** Place of the bag in the request. */
  readonly index: number;
  readonly prediction: commonV1.Prediction;
}

/** A bag of the request with what the catalog knows of it. */
export interface FoldBag extends gatewayV1.LabelledBag {
  readonly slideId: string;
  /** The request's, else the bag's own. */
  readonly patientId: string;
}

const { KIND_REGRESSION, KIND_SURVIVAL, KIND_COX } = commonV1.Task_Kind;

/**
 * Predictions of bags by models that have not seen them: `repeat`, `fold`, `bag`, `slide`, `patient`, `group`, what is known
 * (`truth`, and `unknown` labels; `truth_<name>` of regressions; `time` and `event` of survival), and what the model says.
 */
export function foldPredictionsTable(
  task: commonV1.Task,
  bags: readonly FoldBag[],
  predictions: readonly FoldPrediction[],
): LazyTable {
  const rows = lazyRows(function* () {
    for (const { repeat, fold, index, prediction } of predictions) {
      const bag = bags[index]!;
      const { bag: name, slideId: slide, patientId: patient, groupId: group } = bag;
      const known = { repeat, fold, bag: name, slide, patient, group };
      yield { ...known, ...truthCells(bag), ...predictionCells(prediction) };
    }
  });
  const names = ["bag", "slide", "patient", "group"];
  const first: Column[] = [
    ...["repeat", "fold"].map((name): Column => ({ name, type: "integer" })),
    ...names.map((name): Column => ({ name, type: "text" })),
  ];
  return { columns: [...first, ...truthColumns(task), ...predictionColumns([task])], rows };
}

function truthColumns({ kind, classes }: commonV1.Task): Column[] {
  if (kind === KIND_REGRESSION) return classes.map((name) => ({ name: `truth_${name}`, type: "number" }));
  if (kind === KIND_SURVIVAL || kind === KIND_COX) {
    return [
      { name: "time", type: "number" },
      { name: "event", type: "boolean" },
    ];
  }
  return [
    { name: "truth", type: "text" },
    { name: "unknown", type: "text" },
  ];
}

function truthCells({ labels, unknownLabels, values, survival }: gatewayV1.LabelledBag): Row {
  return {
    truth: labels.join(";"),
    unknown: unknownLabels.join(";"),
    ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`truth_${name}`, value])),
    ...(survival && { time: survival.time, event: survival.event }),
  };
}
