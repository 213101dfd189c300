import { expect, it } from "vitest";
import { listDevices } from "./list-devices.ts";
import { codeOf } from "./testing/test-tensors.ts";

it("every device is listed, those that do not work with the reason", async () => {
  const devices = await listDevices();
  expect(devices.map((device) => device.name)).toEqual(expect.arrayContaining(["cpu", "cuda:0", "webgpu"]));
  expect(devices[0]).toMatchObject({ name: "cpu", isAvailable: true });
  for (const device of devices) {
    expect(device.detail).not.toBe("");
    expect(device.detail).not.toContain("onnxruntime_src");
  }
});

it("probing stops when the caller gives up", async () => {
  expect(await codeOf(listDevices({ signal: AbortSignal.abort() }))).toBe("CANCELLED");
});
