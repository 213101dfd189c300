import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { modelNameOf } from "./client/model-name.ts";
import { describeError, exitCodeFromError, StartError, UsageError } from "./exit-codes.ts";
import { createProgram } from "./program.ts";

describe("the command line", () => {
  it("describes every command with a summary, and its options", () => {
    const { commands } = createProgram();
    expect(commands.map((command) => command.name())).toEqual([
      "up",
      "import",
      "regions",
      "pretrain",
      "train",
      "crossval",
      "experiment",
      "presets",
      "predict",
      "batch",
      "compare",
      "models",
      "bags",
      "operations",
      "doctor",
      "demo",
    ]);
    for (const command of commands) {
      expect(command.summary()).not.toBe("");
      for (const option of command.options) expect(option.description).not.toBe("");
    }
  });

  it("tells exit codes apart", () => {
    const live = new AbortController().signal;
    expect(exitCodeFromError(new UsageError("x"), live)).toBe(2);
    expect(exitCodeFromError(new DomainError("UNREACHABLE", "x"), live)).toBe(3);
    expect(exitCodeFromError(new StartError("x", { cause: new DomainError("CONFLICT", "y") }), live)).toBe(3);
    expect(exitCodeFromError(new DomainError("NOT_FOUND", "x"), live)).toBe(1);
    expect(exitCodeFromError(new DomainError("CANCELLED", "x"), AbortSignal.abort())).toBe(130);
  });

  it("tells why the services cannot start, not that they cannot", () => {
    const error = new StartError("x", { cause: new DomainError("CONFLICT", "another gateway runs") });
    expect(describeError(error)).toEqual({ code: "CONFLICT", message: "another gateway runs" });
    expect(describeError(new Error("boom"))).toEqual({ code: "INTERNAL", message: "boom" });
  });

  it.each([
    ["tumour", "projects/p/models/tumour"],
    ["tumour@production", "projects/p/models/tumour/aliases/production"],
    ["tumour/versions/1", "projects/p/models/tumour/versions/1"],
    ["projects/q/models/x", "projects/q/models/x"],
  ])("takes the model %s", (text, name) => {
    expect(modelNameOf("projects/p", text)).toBe(name);
  });

  it.each(["", "@production", "a@", "a@b@c"])("refuses the model %j", (text) => {
    expect(() => modelNameOf("projects/p", text)).toThrow(UsageError);
  });
});
