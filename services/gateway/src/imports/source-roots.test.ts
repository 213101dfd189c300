import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { createSourceRoots } from "./source-roots.ts";

describe("the places that clients may import from", () => {
  it("are those below a root, whole folder names compared", () => {
    const roots = createSourceRoots(["file:///data", "s3://bucket/in"], {});
    expect(roots.resolve("file:///data/a/b.h5")).toMatchObject({ store: { uri: "file:///data" }, key: "a/b.h5" });
    expect(roots.resolve("s3://bucket/in/b.h5").key).toBe("b.h5");
    for (const uri of ["file:///data2/b.h5", "file:///data/../etc/x", "file:///data/", "s3://bucket/inner/b.h5"])
      expect(() => roots.resolve(uri)).toThrow("below no import root");
  });

  it.each(["/srv/a~b", "/srv/müller", "/srv/plain"])("name our own store at %s only as isolation knows it", (path) => {
    const own = pathToFileURL(path).href;
    const disguised = `file://${path}`;
    const roots = createSourceRoots([disguised, own, "file:///srv"], {}, own);
    expect(roots.resolve(`${own}/projects/a/bags/x.safetensors`).key).toContain("projects/a/");
    if (disguised !== own) {
      expect(() => roots.resolve(`${disguised}/projects/b/bags/x.safetensors`)).toThrow("below no import root");
    }
    expect(roots.resolve("file:///srv/elsewhere/x.h5").key).toBe("elsewhere/x.h5");
  });
});
