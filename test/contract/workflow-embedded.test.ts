import { openTestDriver } from "../../libs/workflows/src/testing/test-driver.ts";
import { describeWorkflowContract } from "./workflow-contract.ts";

describeWorkflowContract("embedded", async () => ({
  open: (registry, options) => openTestDriver(registry, { maxConcurrent: 10, ...options }),
  stop: async () => {},
}));
