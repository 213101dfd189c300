import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { errorFromRuntime, runtimeText } from "./runtime-errors.ts";

describe("errors of the runtime", () => {
  it("are out of memory when an allocation failed, without the place in the runtime's sources", () => {
    const text =
      "Non-zero status code returned while running Expand node. Name:'' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 1600";
    const error = errorFromRuntime(new Error(text));
    expect(error.code).toBe("OUT_OF_MEMORY");
    expect(error.message).toContain("Failed to allocate memory for requested buffer of size 1600");
    expect(error.message).not.toContain("onnxruntime_src");
    expect(errorFromRuntime(new Error("std::bad_alloc")).code).toBe("OUT_OF_MEMORY");
    expect(errorFromRuntime(new RangeError("Array buffer allocation failed")).code).toBe("OUT_OF_MEMORY");
  });

  it("say what CUDA answered, without the place in the runtime's sources and the host's name", () => {
    const text =
      "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:146 void onnxruntime::CudaCall(ERRTYPE, const char*) [with ERRTYPE = cudaError; bool THRW = true] /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:146 void onnxruntime::CudaCall(ERRTYPE, const char*) [with ERRTYPE = cudaError; bool THRW = true] CUDA failure 100: no CUDA-capable device is detected ; GPU=-1 ; hostname=1b7b214b57bd ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; line=345 ; expr=cudaSetDevice(info_.device_id);";
    expect(runtimeText(new Error(text))).toBe("CUDA failure 100: no CUDA-capable device is detected");
    const full = text.replace("100: no CUDA-capable device is detected", "2: out of memory");
    expect(errorFromRuntime(new Error(full)).code).toBe("OUT_OF_MEMORY");
  });

  it("are mismatches when shapes or element types do not fit", () => {
    const text = "Got invalid dimensions for input: state for the following indices\n index: 0 Got: 5 Expected: 4";
    expect(errorFromRuntime(new Error(text))).toMatchObject({ code: "SHAPE_MISMATCH", message: text });
  });

  it("pass when they are typed already", () => {
    const lost = new DomainError("STATE_LOST", "gone");
    expect(errorFromRuntime(lost)).toBe(lost);
  });

  it("are internal otherwise", () => {
    expect(errorFromRuntime("odd").code).toBe("INTERNAL");
  });
});
