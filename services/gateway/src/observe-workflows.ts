import { codeOf, inOperationSpan, type Logger, type OperationMetrics } from "@parfocal/runtime";
import type { Json, Workflow, WorkflowRegistry } from "@parfocal/workflows";

/** Options of {@link observeWorkflows}. */
export interface ObserveWorkflowsOptions {
  readonly metrics: OperationMetrics;
  readonly logger: Logger;
}

/**
 * The same workflows, counted by kind while they run and when they have ended, each in a trace of its own. Their lines in
 * the log, and those of the stages they call, carry the operation's id. One that goes on after a crash counts again.
 */
export function observeWorkflows(registry: WorkflowRegistry, options: ObserveWorkflowsOptions): WorkflowRegistry {
  const observed = Object.entries(registry).map(([verb, workflow]) => [verb, observe(verb, workflow, options)]);
  return Object.fromEntries(observed) as WorkflowRegistry;
}

function observe(
  verb: string,
  workflow: Workflow<never, Json>,
  { metrics, logger }: ObserveWorkflowsOptions,
): Workflow<never, Json> {
  return (context, input) =>
    inOperationSpan(verb, context.operationId, async () => {
      const end = metrics.started(verb);
      logger.info("operation runs", { verb });
      let code = "OK";
      try {
        return await workflow(context, input);
      } catch (error) {
        code = codeOf(error);
        throw error;
      } finally {
        logger.info("operation has ended", { verb, code, durationMs: end(code) });
      }
    });
}
