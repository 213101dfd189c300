import { describe, expect, it } from "vitest";
import { reasonFrom, withLoadingReason } from "./cuda-loading.ts";

const lacks = (file: string) => reasonFrom(`${file}: cannot open shared object file: No such file or directory`);

describe("why the CUDA provider cannot be loaded", () => {
  it("is told by what the loader lacks: the driver, the provider, or a library of CUDA", () => {
    expect(lacks("libcuda.so.1")).toContain("the NVIDIA driver is missing (libcuda.so.1)");
    expect(lacks("/app/node_modules/x/libonnxruntime_providers_cuda.so")).toContain("has no CUDA provider here");
    expect(lacks("libcublasLt.so.12")).toBe("the CUDA provider needs libcublasLt.so.12, which is missing");
    expect(reasonFrom("libcurand.so.10: file too short")).toMatch(
      /cannot be loaded: libcurand\.so\.10: file too short$/,
    );
    expect(reasonFrom("Module did not self-register: '/x.so'.")).toBeUndefined();
  });

  it("is asked for where the runtime keeps it to itself alone", () => {
    const told = "CUDA failure 100: no CUDA-capable device is detected";
    expect(withLoadingReason(told)).toBe(told);
  });
});
