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

/** What a fold's model decides of bags together that it has not seen. */
export interface FoldDecision extends Omit<FoldPrediction, "index"> {
  /** Places of the bags in the request, ascending; at least one. */
  readonly indices: readonly number[];
}

/** A bag of the request with what the catalog knows of it. */
export interface FoldBag extends gatewayV1.LabelledBag {
  readonly slideId: string;
  /** The request's, else the bag's own. */
  readonly patientId: string;
}

/** Between names of one cell. */
const SEPARATOR = ";";

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

/**
 * What was decided of groups of bags by models that have not seen them, under the rule for groups: `repeat`, `fold`, `patient`, `group`,
 * `slides` (how many), `slide_ids` and `bags` (in the order of the request, a semicolon between), what is known of the group, which all its bags
 * share, and what the model decides of it; the last two as {@link foldPredictionsTable} has them.
 */
export function foldDecisionsTable(
  task: commonV1.Task,
  bags: readonly FoldBag[],
  decisions: readonly FoldDecision[],
): LazyTable {
  const rows = lazyRows(function* () {
    for (const { repeat, fold, indices, prediction } of decisions) {
      const own = indices.flatMap((index) => bags[index] ?? []);
      const [first] = own;
      if (first === undefined) continue;
      const slideIds = own.map(({ slideId }) => slideId).join(SEPARATOR);
      const names = own.map(({ bag }) => bag).join(SEPARATOR);
      const whose = { patient: first.patientId, group: first.groupId };
      const known = { repeat, fold, ...whose, slides: own.length, slide_ids: slideIds, bags: names };
      yield { ...known, ...truthCells(first), ...predictionCells(prediction) };
    }
  });
  const integers = (names: readonly string[]) => names.map((name): Column => ({ name, type: "integer" }));
  const texts = (names: readonly string[]) => names.map((name): Column => ({ name, type: "text" }));
  const first = [
    ...integers(["repeat", "fold"]),
    ...texts(["patient", "group"]),
    ...integers(["slides"]),
    ...texts(["slide_ids", "bags"]),
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
