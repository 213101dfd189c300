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
