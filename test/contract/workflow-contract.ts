/**
 * What every workflow driver must do, whichever system is behind it. Run by workflow-embedded.test.ts and by
 * test/integration/workflow-temporal.test.ts.
 */
import type { ObjectStore } from "@parfocal/store";
import type { WorkflowDriver, WorkflowRegistry } from "@parfocal/workflows";
import { afterAll, beforeAll, describe } from "vitest";
import { describeCancelling } from "./workflow-contract-cancelling.ts";
import { describeKeeping } from "./workflow-contract-keeping.ts";
import { describeResuming } from "./workflow-contract-resuming.ts";
import { describeStarting } from "./workflow-contract-starting.ts";
import { describeSteps } from "./workflow-contract-steps.ts";
import { describeWatching } from "./workflow-contract-watching.ts";

/** A system that runs workflows, under test. */
export interface WorkflowFixture {
  /**
   * Opens a driver as a process of its own would; one that was opened on the same store before and closed is its predecessor. Without
   * `store` it has one of its own. Pauses are short.
   */
  open(registry: WorkflowRegistry, options?: DriverSettings): Promise<WorkflowDriver>;
  readonly stop: () => Promise<void>;
}

/** What a test may choose of a driver. */
interface DriverSettings {
  readonly store?: ObjectStore;
  readonly clock?: { nowMs(): number; monotonicMs(): number; delay(ms: number, signal?: AbortSignal): Promise<void> };
  readonly cancelGraceMs?: number;
  readonly closeGraceMs?: number;
}

/** Opens a driver of the fixture. */
export type OpenDriver = WorkflowFixture["open"];

/** Describes the contract of a driver; `createFixture` runs once, before the tests. */
export function describeWorkflowContract(name: string, createFixture: () => Promise<WorkflowFixture>): void {
  describe(`workflow driver contract: ${name}`, () => {
    let fixture: WorkflowFixture | undefined;
    beforeAll(async () => {
      fixture = await createFixture();
    });
    afterAll(async () => {
      await fixture?.stop();
    });
    const open: OpenDriver = (registry, options) => {
      if (fixture === undefined) throw new Error("the fixture is not there yet");
      return fixture.open(registry, options);
    };
    describeStarting(open);
    describeSteps(open);
    describeResuming(open);
    describeCancelling(open);
    describeWatching(open);
    describeKeeping(open);
  });
}
