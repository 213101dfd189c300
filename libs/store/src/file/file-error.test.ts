import { describe, expect, it } from "vitest";
import { fileError } from "./file-error.ts";

describe("errors of the file system", () => {
  it.each([
    [{ code: "ENOSPC" }, "RESOURCE_EXHAUSTED"],
    [{ code: "ERR_SQLITE_ERROR", errcode: 13 }, "RESOURCE_EXHAUSTED"],
    [{ code: "ERR_SQLITE_ERROR", errcode: 8 }, "FORBIDDEN"],
    [{ code: "ERR_SQLITE_ERROR", errcode: 14 }, "FORBIDDEN"],
    [{ code: "ERR_SQLITE_ERROR", errcode: 14 | (2 << 8) }, "FORBIDDEN"],
    [{ code: "ERR_SQLITE_ERROR", errcode: 11 }, "INTERNAL"],
  ])("are %j: %s", (fields, code) => {
    expect(fileError(Object.assign(new Error("at /slides/12"), fields), "delete the object")).toMatchObject({
      code,
      message: `could not delete the object: ${fields.code}`,
    });
  });
});
