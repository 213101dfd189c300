import { describe, expect, it } from "vitest";
import {
  isResourceId,
  parseAnyResourceName,
  parseResourceName,
  type ResourceKind,
  resourceName,
} from "./resource-names.ts";

const digest = "0123456789abcdef".repeat(4);

describe("resource names", () => {
  it.each([
    ["project", { project: "p1" }, "projects/p1"],
    ["bag", { project: "p1", bag: digest }, `projects/p1/bags/${digest}`],
    ["model", { project: "p1", model: "abmil-v2" }, "projects/p1/models/abmil-v2"],
    ["modelVersion", { project: "p1", model: "m", version: "2026.1" }, "projects/p1/models/m/versions/2026.1"],
    ["modelAlias", { project: "p1", model: "m", alias: "production" }, "projects/p1/models/m/aliases/production"],
    ["upload", { project: "p1", upload: "0a1b" }, "projects/p1/uploads/0a1b"],
    ["operation", { project: "p1", operation: "train_1" }, "projects/p1/operations/train_1"],
  ] as const)("writes and reads a %s", (kind, ids, name) => {
    expect(resourceName(kind as ResourceKind, ids as never)).toBe(name);
    expect(parseResourceName(kind, name)).toEqual({ kind, ...ids });
  });

  it.each(["a", "7", "a-b", "a.b_c", "a".repeat(63)])("takes %s for an id", (id) => {
    expect(isResourceId(id)).toBe(true);
  });

  it.each(["", ".", "..", "a..b", "-a", "a-", ".a", "A", "ä", "a/b", "a b", "a%2e", "a\u0000b", "a\n", "a".repeat(64)])(
    "refuses %j as an id, written or read",
    (id) => {
      expect(isResourceId(id)).toBe(false);
      expect(() => resourceName("model", { project: "p", model: id })).toThrow("model");
      expect(() => parseResourceName("model", `projects/p/models/${id}`)).toThrow();
    },
  );

  it.each([
    "projects/p/bags/../../secret",
    "projects/../bags/x",
    "/projects/p/models/m",
    "projects/p/models/m/",
    "projects//models/m",
    "project/p/models/m",
    "projects/p/models",
    "",
  ])("refuses %j as the name of a model", (name) => {
    expect(() => parseResourceName("model", name, "request.model")).toThrow("request.model");
  });

  it("names the field and the pattern, never what was sent", () => {
    const secret = "patient-4711/../x";
    try {
      parseResourceName("model", secret, "model");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "model" } });
      expect((error as Error).message).toContain("projects/{project}/models/{model}");
      expect((error as Error).message).not.toContain("4711");
    }
  });

  it("names bags by nothing but a SHA-256", () => {
    for (const bag of ["abc", digest.toUpperCase(), digest.slice(1), `${digest}0`]) {
      expect(() => resourceName("bag", { project: "p", bag })).toThrow("bag");
    }
  });

  it("tells which of several kinds a name is", () => {
    const kinds = ["model", "modelVersion", "modelAlias"] as const;
    expect(parseAnyResourceName(kinds, "projects/p/models/m/aliases/best")).toEqual({
      kind: "modelAlias",
      project: "p",
      model: "m",
      alias: "best",
    });
    expect(() => parseAnyResourceName(kinds, "projects/p/operations/o")).toThrow("models/{model}/versions/{version}");
  });

  it("does not look at names beyond the bound", () => {
    expect(() => parseResourceName("project", `projects/${"a/".repeat(1e6)}`)).toThrow("characters");
  });
});
