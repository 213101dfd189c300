import type { gatewayV1, googleLongrunning } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { OperationState, WorkflowDriver } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { createListOperations, createWaitOperation } from "./operations.ts";

/** A finished import, whose answer has some `kib` KiB. */
function importOf(id: number, kib: number): OperationState {
  const bags: gatewayV1.ImportedBag[] = [];
  const response = { bags: [...bags, { path: "p".repeat(kib * 1024) }] };
  return {
    name: `projects/p/operations/${String(id).padStart(32, "0")}`,
    kind: "import",
    progress: { phase: "", fraction: 1, etaS: undefined, counters: {} },
    createTimeMs: 0,
    endTimeMs: 1,
    isCancelRequested: false,
    sequence: 3,
    outcome: { kind: "succeeded", response },
  } as unknown as OperationState;
}

/** Operations whose page token is the index of the next. */
function listing(states: readonly OperationState[]): Pick<WorkflowDriver, "list"> {
  return {
    async list(_project, { pageSize, pageToken = "0" }) {
      const end = Number(pageToken) + pageSize;
      const next = end < states.length ? { nextPageToken: String(end) } : {};
      return { operations: states.slice(Number(pageToken), end), ...next };
    },
  };
}

async function pagesOf(states: readonly OperationState[], pageSize: number) {
  const list = createListOperations({ operations: listing(states) as WorkflowDriver });
  const pages: googleLongrunning.ListOperationsResponse[] = [];
  let pageToken = "";
  do {
    const page = await list({ name: "projects/p", filter: "", pageSize, pageToken, returnPartialSuccess: false });
    pages.push(page);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return pages;
}

describe("ListOperations", () => {
  it("ends a page before it is larger than a client takes, and leaves none out", async () => {
    const states = Array.from({ length: 40 }, (_, id) => importOf(id, id % 3 === 0 ? 1000 : 1));
    const pages = await pagesOf(states, 0);
    const sizes = pages.map(({ operations }) =>
      operations.reduce((sum, { result }) => sum + (result?.$case === "response" ? result.value.value.length : 0), 0),
    );
    expect(Math.max(...sizes)).toBeLessThan(2 * 1024 * 1024);
    expect(pages.flatMap(({ operations }) => operations.map(({ name }) => name))).toEqual(
      states.map(({ name }) => name),
    );
  });

  it("gives an operation that is too large for a page alone", async () => {
    const pages = await pagesOf([importOf(0, 3000), importOf(1, 1)], 100);
    expect(pages.map(({ operations }) => operations.length)).toEqual([1, 1]);
  });

  it("names the field of a negative page size", async () => {
    await expect(pagesOf([], -1)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { field: "page_size" },
    });
  });
});

describe("WaitOperation", () => {
  it("answers with the state before the deadline of the call", async () => {
    const state = { ...importOf(0, 1), outcome: { kind: "running" } } as OperationState;
    const operations = {
      get: async () => state,
      async *watch(_name: string, _after: number, signal: AbortSignal) {
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        yield state;
      },
    } as unknown as WorkflowDriver;
    const controller = new AbortController();
    const deadlineMs = Date.now() + 400;
    const timer = setTimeout(() => controller.abort(), 400);
    const context = { signal: controller.signal, deadlineMs } as HandlerContext;
    const answer = await createWaitOperation({ operations })({ name: state.name, timeout: undefined }, context);
    clearTimeout(timer);
    expect(answer).toMatchObject({ name: state.name, done: false });
    expect(controller.signal.aborted).toBe(false);
  });
});
