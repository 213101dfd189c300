import { DomainError } from "@parfocal/errors";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { modelNameOf } from "./client/model-name.ts";
import { parseCount, parseLongCount, parseWidths } from "./commands/parse-option.ts";
import { describeError, exitCodeFromError, StartError, UsageError } from "./exit-codes.ts";
import { createProgram } from "./program.ts";

/** A command and everything below it, by their names. */
function allCommands(command: Command, before = ""): [string, Command][] {
  const name = `${before}${command.name()}`;
  return [[name, command], ...command.commands.flatMap((child) => allCommands(child, `${name} `))];
}

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
      "reembed",
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

  it.each(allCommands(createProgram()))("can show the help of %s", (_, command) => {
    expect(command.helpInformation()).toContain(`Usage: parfocal`);
  });

  it("shows the default of a seed", () => {
    const helpOf = (name: string) =>
      createProgram()
        .commands.find((each) => each.name() === name)
        ?.helpInformation();
    expect(helpOf("pretrain")).toContain("(default: 1)");
    expect(helpOf("demo")).toContain("(default: 7)");
  });

  it.each([
    ["train", "--attention-width", "4000000000", "2147483647"],
    ["train", "--hidden", "512,4000000000", "2147483647"],
    ["train", "--hidden", "512,x", "2147483647"],
    ["crossval", "--folds", "2147483648", "2147483647"],
    ["pretrain", "--batch-regions", "1e12", "2147483647"],
    ["pretrain", "--regions", "9007199254740992", "9007199254740991"],
  ])("refuses as %s %s the number %s, naming the bound", async (name, option, text, bound) => {
    const program = createProgram();
    for (const command of [program, ...program.commands]) command.exitOverride().configureOutput({ writeErr() {} });
    const running = program.parseAsync(["node", "parfocal", name, option, text]);
    await expect(running).rejects.toThrow(
      new RegExp(`option '${option} <.*argument '${text}' is invalid.* ${bound}\\b`),
    );
  });

  it("takes the largest numbers of the contract", () => {
    expect(parseCount("2147483647")).toBe(2_147_483_647);
    expect(parseLongCount("5000000000")).toBe(5_000_000_000);
    expect([parseWidths("512,2147483647"), parseWidths("none")]).toEqual(["512,2147483647", "none"]);
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
    ["ENOSPC", "RESOURCE_EXHAUSTED"],
    ["EFBIG", "RESOURCE_EXHAUSTED"],
    ["EACCES", "FORBIDDEN"],
    ["ENOENT", "NOT_FOUND"],
    ["EISDIR", "PRECONDITION_FAILED"],
    ["EIO", "PRECONDITION_FAILED"],
    ["EPROTO", "INTERNAL"],
  ])("tells %s of the file system as %s, and that something failed", (code, told) => {
    const error = Object.assign(new Error(`${code}: it did not work`), { code, syscall: "write" });
    expect(describeError(error)).toEqual({ code: told, message: error.message });
    expect(exitCodeFromError(error, new AbortController().signal)).toBe(1);
  });

  it("does not take every error with a code for one of the file system", () => {
    expect(describeError(Object.assign(new Error("x"), { code: "ENOENT" }))).toEqual({
      code: "INTERNAL",
      message: "x",
    });
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
