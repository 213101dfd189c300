import { describe, expect, it } from "vitest";
import { errorFromExit, type ProcessExit } from "./exit-error.ts";

const CRASH: ProcessExit = { code: null, signal: "SIGSEGV", stderrTail: "", sawOutOfMemoryKill: false };

describe("the end of an engine process", () => {
  it("is a crash when it ended itself", () => {
    expect(errorFromExit(CRASH)).toMatchObject({
      code: "ENGINE_CRASHED",
      message: "the engine process ended in the middle of the request (SIGSEGV)",
    });
    expect(errorFromExit({ ...CRASH, signal: null, code: 7 }).message).toContain("exit code 7");
  });

  it("is out of memory when the kernel killed it for memory", () => {
    expect(errorFromExit({ ...CRASH, signal: "SIGKILL", sawOutOfMemoryKill: true }).code).toBe("OUT_OF_MEMORY");
  });

  it("is out of memory when it was killed and the kernel does not say why", () => {
    expect(errorFromExit({ ...CRASH, signal: "SIGKILL", sawOutOfMemoryKill: undefined }).code).toBe("OUT_OF_MEMORY");
  });

  it("is a crash when somebody else killed it", () => {
    expect(errorFromExit({ ...CRASH, signal: "SIGKILL" }).code).toBe("ENGINE_CRASHED");
  });

  it("is out of memory when its last words say so", () => {
    const heap = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
    const error = errorFromExit({ ...CRASH, signal: "SIGABRT", stderrTail: heap });
    expect(error.code).toBe("OUT_OF_MEMORY");
    expect(error.cause).toEqual(new Error(heap));
    expect(error.message).not.toContain("FATAL");
  });
});
