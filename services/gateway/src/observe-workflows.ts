import { codeOf, inOperationSpan, type Logger, type OperationMetrics } from "@parfocal/runtime";
import type { Json, Workflow, WorkflowContext, WorkflowRegistry } from "@parfocal/workflows";

/** Options of {@link observeWorkflows}. */
export interface ObserveWorkflowsOptions {
  readonly metrics: OperationMetrics;
  readonly logger: Logger;
  /**
   * Whether a workflow's function stays from its beginning to its end, as with the embedded driver. Where it is put aside
   * between steps and begun anew, on this replica or another, its steps are what can be seen.
   */
  readonly isResident: boolean;
}

/**
 * The same workflows, counted by kind, each in a trace of its own, or one for each step where functions do not stay. Lines
 * of the log, and those of the stages that are called, carry the operation's id. One that goes on after a crash counts again.
 */
export function observeWorkflows(registry: WorkflowRegistry, options: ObserveWorkflowsOptions): WorkflowRegistry {
  const observe = options.isResident ? observeWhole : observeSteps;
  const observed = Object.entries(registry).map(([verb, workflow]) => [verb, observe(verb, workflow, options)]);
  return Object.fromEntries(observed) as WorkflowRegistry;
}

type Observed = Workflow<never, Json>;

function observeWhole(verb: string, workflow: Observed, { metrics, logger }: ObserveWorkflowsOptions): Observed {
  return (context, input) =>
    inOperationSpan(verb, context.operationId, () =>
      counted(metrics, verb, logger, "operation", () => workflow(context, input)),
    );
}

function observeSteps(verb: string, workflow: Observed, { metrics, logger }: ObserveWorkflowsOptions): Observed {
  return (context, input) => {
    const { operationId } = context;
    const step: WorkflowContext["step"] = (name, body, stepOptions) =>
      context.step(
        name,
        (own) => inOperationSpan(verb, operationId, () => counted(metrics, verb, logger, "step", () => body(own))),
        stepOptions,
      );
    return workflow({ ...context, step }, input);
  };
}

async function counted<T>(
  metrics: OperationMetrics,
  verb: string,
  logger: Logger,
  what: "operation" | "step",
  work: () => Promise<T>,
): Promise<T> {
  const end = metrics.started(verb);
  logger.info(`${what} runs`, { verb });
  let code = "OK";
  try {
    return await work();
  } catch (error) {
    code = codeOf(error);
    throw error;
  } finally {
    logger.info(`${what} has ended`, { verb, code, durationMs: end(code) });
  }
}
