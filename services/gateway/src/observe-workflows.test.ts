import { DomainError } from "@parfocal/errors";
import { createLogger } from "@parfocal/runtime";
import type { Json, WorkflowContext } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { observeWorkflows } from "./observe-workflows.ts";

const ID = "0123456789abcdef0123456789abcdef";
const CONTEXT: WorkflowContext = {
  operationId: ID,
  project: "p",
  signal: new AbortController().signal,
  step: (_, body) => body({ signal: CONTEXT.signal, attempt: 1, report() {} }),
};

/** Runs a workflow of two steps, the second of which may fail; gives what was counted and logged. */
async function run(isResident: boolean, second: () => Promise<Json> = async () => 2) {
  const counted: string[] = [];
  const metrics = {
    started: (verb: string) => {
      counted.push(verb);
      return (code: string) => counted.push(code);
    },
  };
  const lines: { readonly event: string; readonly operation?: string }[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]);
  const logger = createLogger({ service: "test", destination: { write } });
  const workflow = async (context: WorkflowContext): Promise<Json> => {
    const one = await context.step("one", async () => 1);
    return [one, await context.step("two", second)];
  };
  const observed = observeWorkflows({ job: workflow }, { metrics, logger, isResident });
  const result = await observed.job?.(CONTEXT, null as never).catch((error: unknown) => error);
  return { result, counted, lines };
}

describe("workflows that are watched", () => {
  it("count as a whole where their functions stay, under their operation's id", async () => {
    const { result, counted, lines } = await run(true);
    expect(result).toEqual([1, 2]);
    expect(counted).toEqual(["job", "OK"]);
    expect(lines.map(({ event, operation }) => [event, operation])).toEqual([
      ["operation runs", ID],
      ["operation has ended", ID],
    ]);
  });

  it("count step by step where they are put aside", async () => {
    const { result, counted, lines } = await run(false);
    expect(result).toEqual([1, 2]);
    expect(counted).toEqual(["job", "OK", "job", "OK"]);
    expect(lines.every(({ operation }) => operation === ID)).toBe(true);
  });

  it.each([true, false])("fail as they did, with the code counted (resident: %s)", async (isResident) => {
    const failure = new DomainError("CORRUPT", "no");
    const { result, counted } = await run(isResident, () => Promise.reject(failure));
    expect(result).toBe(failure);
    expect(counted.at(-1)).toBe("CORRUPT");
  });
});
