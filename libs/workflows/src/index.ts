export { type Clock, createSystemClock } from "./clock.ts";
export { createEmbeddedDriver, type EmbeddedDriverOptions } from "./embedded-driver.ts";
export type { WorkflowLogger } from "./failure.ts";
export { createTemporalDriver } from "./temporal/create-temporal-driver.ts";
export type { TemporalDriverOptions } from "./temporal/temporal-driver.ts";
export type { TemporalSettings, TemporalTls } from "./temporal/temporal-settings.ts";
export { waitForOperation } from "./wait-for-operation.ts";
export type {
  Json,
  OperationState,
  Progress,
  StartRequest,
  StepContext,
  StepOptions,
  Workflow,
  WorkflowContext,
  WorkflowDriver,
  WorkflowRegistry,
} from "./workflow.ts";
