import { describe, expect, it } from "vitest";
import { resourcesNamedBy } from "./named-projects.ts";

const ROOT = "s3://bucket/prefix";
const projectsIn = (message: unknown) => [...resourcesNamedBy(message, ROOT).projects];

describe("what a message names", () => {
  it("is found wherever it stands", () => {
    expect(
      projectsIn({ parent: "projects/a", bags: [{ bag: "projects/b/bags/x" }], map: { k: "projects/c" } }),
    ).toEqual(["a", "b", "c"]);
    expect(projectsIn({ oneof: { $case: "header", value: { parent: "projects/d" } } })).toEqual(["d"]);
  });

  it("includes the owners of URIs below the store, and nobody for what has no owner", () => {
    expect(
      projectsIn([`${ROOT}/projects/a/bags/x`, `${ROOT}/operations/b/1/tmp/m.csv`, `${ROOT}/uploads/c/u`]),
    ).toEqual(["a", "b", "c"]);
    expect(projectsIn(`${ROOT}/cache/x`)).toEqual([""]);
    expect(projectsIn(`${ROOT}/operations/.owner`)).toEqual([""]);
    expect(projectsIn(`${ROOT}/projects/a`)).toEqual([""]);
    expect(projectsIn("s3://bucket/prefix2/projects/a/x")).toEqual([]);
  });

  it("gives no operation whose name cannot be one: it would go into records", () => {
    const operationIn = (name: string) => resourcesNamedBy({ name }, ROOT).operation;
    expect(operationIn("projects/a/operations/0123abcd")).toBe("projects/a/operations/0123abcd");
    expect(operationIn("projects/a/operations/MRN 4711")).toBeUndefined();
    expect(operationIn(`projects/a/operations/${"x".repeat(64)}`)).toBeUndefined();
  });

  it("is not read out of bytes", () => {
    expect(projectsIn({ chunk: Buffer.from("projects/a") })).toEqual([]);
  });

  it("takes an empty id and a climbing one for what they are: no project of anybody", () => {
    expect(projectsIn(["projects/", "projects/../a"])).toEqual(["", ".."]);
  });

  it("gives the first operation", () => {
    expect(resourcesNamedBy({ name: "projects/a/operations/1" }, undefined).operation).toBe("projects/a/operations/1");
    expect(resourcesNamedBy({ name: "projects/a/operations" }, undefined).operation).toBeUndefined();
  });

  it("bears a message of any depth", () => {
    let deep: unknown = "projects/a";
    for (let i = 0; i < 100_000; i += 1) deep = [deep];
    expect(projectsIn(deep)).toEqual(["a"]);
  });
});
