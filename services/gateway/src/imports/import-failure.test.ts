import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { type ImportPhase, replyFromError } from "./import-failure.ts";

const kindOf = (code: DomainErrorCode, phase: ImportPhase) => replyFromError(new DomainError(code, "x"), phase).kind;

describe("an error of an import", () => {
  it.each([
    ["UNREACHABLE", "failed", "failed"],
    ["THROTTLED", "failed", "failed"],
    ["FORBIDDEN", "outcome", "failed"],
    ["NOT_FOUND", "outcome", "failed"],
    ["RESOURCE_EXHAUSTED", "outcome", "failed"],
    ["CORRUPT", "outcome", "outcome"],
    ["NON_FINITE", "outcome", "outcome"],
  ] as const)("%s at the source is %s, at our own store %s", (code, atSource, atTarget) => {
    expect([kindOf(code, "source"), kindOf(code, "target")]).toEqual([atSource, atTarget]);
    expect(kindOf(code, "file")).toBe("outcome");
  });

  it("tells of what was not foreseen no more than its name", () => {
    const reply = replyFromError(new TypeError("patient-name.npy"), "target");
    expect(reply).toMatchObject({ kind: "outcome", outcome: { code: "INTERNAL" } });
    expect(JSON.stringify(reply)).not.toContain("patient-name");
  });
});
