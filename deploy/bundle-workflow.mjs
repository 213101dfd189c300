// Makes the bundle that libs/workflows looks for beside its Temporal workflow, when an image is built.
import { writeFileSync } from "node:fs";
import { bundleWorkflowCode } from "@temporalio/worker";

const folder = new URL("../libs/workflows/src/temporal/", import.meta.url);
const { code } = await bundleWorkflowCode({ workflowsPath: new URL("operation-workflow.ts", folder).pathname });
writeFileSync(new URL("operation-workflow.bundle.js", folder), code);
