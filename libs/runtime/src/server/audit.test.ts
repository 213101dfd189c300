import { Status } from "nice-grpc-common";
import { describe, expect, it } from "vitest";
import { recordOfCall } from "./audit.ts";
import type { EndedCall } from "./recover.ts";

function recordOf(project: string | undefined) {
  const origin = {
    method: "s/M",
    peer: "ipv4:127.0.0.1:1",
    startedMs: 0,
    deadlineMs: undefined,
    certificate: undefined,
  };
  return recordOfCall("gateway", {
    ...{ origin: { ...origin, isSeen: true }, requestId: "r", status: Status.OK, durationMs: 1 },
    facts: project === undefined ? {} : { project },
  } as EndedCall);
}

describe("the record of a call", () => {
  it("names the project that the call was about, if there was one", () => {
    expect(recordOf("ward-7.a").project).toBe("ward-7.a");
    expect(recordOf("").project).toBe("");
    expect(recordOf(undefined).project).toBeUndefined();
  });

  it("holds no text that a caller wrote in place of a project, of whatever length", () => {
    for (const text of ["MRN 4711, Doe^Jane", "x".repeat(2_000_000)]) expect(recordOf(text).project).toBe("?");
  });
});
