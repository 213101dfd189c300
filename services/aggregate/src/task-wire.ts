import type { Task } from "@parfocal/models";
import { commonV1 } from "@parfocal/protocol";
import { choice, defined, type Fields } from "@parfocal/stage";

const { Task_Kind, RegressionOptions_Loss, SurvivalOptions_Loss, SurvivalOptions_Ties } = commonV1;

const KINDS: Readonly<Record<Task["kind"], commonV1.Task_Kind>> = {
  binary: Task_Kind.KIND_BINARY,
  multiclass: Task_Kind.KIND_MULTICLASS,
  multilabel: Task_Kind.KIND_MULTILABEL,
  ordinal: Task_Kind.KIND_ORDINAL,
  regression: Task_Kind.KIND_REGRESSION,
  survival: Task_Kind.KIND_SURVIVAL,
  cox: Task_Kind.KIND_COX,
  // A model that only re-embeds decides nothing.
  embedding: Task_Kind.KIND_UNSPECIFIED,
};

/**
 * A task without its link, as the JSON that `parseTask` reads.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a kind or an option that means nothing.
 */
export function taskFromWire({
  kind,
  classes,
  regression,
  survival,
}: commonV1.Task): Fields & Pick<Task, "kind" | "classes"> {
  const kinds = Object.fromEntries(
    Object.entries(KINDS).flatMap(([name, value]) => (value === 0 ? [] : [[commonV1.task_KindToJSON(value), name]])),
  ) as Record<string, Task["kind"]>;
  const found = choice<Task["kind"]>("task.kind", kinds, commonV1.task_KindToJSON(kind));
  const options = {
    ...(found === "regression" && regression && regressionFromWire(regression)),
    ...(found === "survival" && survival && intervalsFromWire(survival)),
    ...(found === "cox" && survival && { ties: tiesFromWire(survival) }),
  };
  return { kind: found, classes, ...defined(options) };
}

function regressionFromWire({ loss, delta }: commonV1.RegressionOptions): Fields {
  const losses = { LOSS_UNSPECIFIED: undefined, LOSS_HUBER: "huber", LOSS_MSE: "mse" };
  const name = commonV1.regressionOptions_LossToJSON(loss);
  return { loss: choice<string | undefined>("task.regression.loss", losses, name), delta };
}

function intervalsFromWire({ bins, edges, alpha, loss }: commonV1.SurvivalOptions): Fields {
  const losses = { LOSS_UNSPECIFIED: undefined, LOSS_NLL: "nll", LOSS_CROSS_ENTROPY: "ce" };
  const name = commonV1.survivalOptions_LossToJSON(loss);
  return {
    bins,
    alpha,
    edges: edges.length > 0 ? edges : undefined,
    loss: choice<string | undefined>("task.survival.loss", losses, name),
  };
}

function tiesFromWire({ ties }: commonV1.SurvivalOptions): string | undefined {
  const words = { TIES_UNSPECIFIED: undefined, TIES_EFRON: "efron", TIES_BRESLOW: "breslow" };
  return choice<string | undefined>("task.survival.ties", words, commonV1.survivalOptions_TiesToJSON(ties));
}

/** A task, as the contract shows it. */
export function taskToWire(task: Task): commonV1.Task {
  return { kind: KINDS[task.kind], classes: [...task.classes], ...optionsToWire(task) };
}

function optionsToWire(task: Task): Pick<commonV1.Task, "regression" | "survival"> {
  switch (task.kind) {
    case "regression": {
      const { LOSS_HUBER, LOSS_MSE } = RegressionOptions_Loss;
      return { regression: { loss: task.loss === "mse" ? LOSS_MSE : LOSS_HUBER, delta: task.delta } };
    }
    case "survival": {
      const { bins, edges, alpha } = task;
      const { LOSS_CROSS_ENTROPY, LOSS_NLL } = SurvivalOptions_Loss;
      const loss = task.loss === "ce" ? LOSS_CROSS_ENTROPY : LOSS_NLL;
      return { survival: { bins, edges: [...edges], alpha, loss, ties: SurvivalOptions_Ties.TIES_UNSPECIFIED } };
    }
    case "cox": {
      const { TIES_BRESLOW, TIES_EFRON } = SurvivalOptions_Ties;
      const loss = SurvivalOptions_Loss.LOSS_UNSPECIFIED;
      return { survival: { edges: [], loss, ties: task.ties === "efron" ? TIES_EFRON : TIES_BRESLOW } };
    }
    default:
      return {};
  }
}
