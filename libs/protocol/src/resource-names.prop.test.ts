import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isResourceId, parseResourceName, resourceName } from "./resource-names.ts";

const id = fc.stringMatching(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/).filter((text) => !text.includes(".."));

describe("resource names, whatever the ids", () => {
  it("read back as written", () => {
    fc.assert(
      fc.property(id, id, id, (project, model, version) => {
        const name = resourceName("modelVersion", { project, model, version });
        expect(parseResourceName("modelVersion", name)).toEqual({ kind: "modelVersion", project, model, version });
      }),
    );
  });

  it("never let through what could leave its folder", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (isResourceId(text)) expect(text).not.toMatch(/[/\\%\s]|\.\.|^\.|\.$/);
      }),
    );
  });
});
