import { readdir, readFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { assertNotAborted, DomainError } from "@parfocal/errors";
import { resolveEngineOptions } from "./engine-options.ts";
import type { DeviceInfo, EngineCallOptions } from "./engine-port.ts";
import { createEngineProcess } from "./engine-process.ts";

/** How long a device may take to run two additions: a cold CUDA context takes some seconds, a hung driver for ever. */
const PROBE_MS = 20_000;

/** More CUDA devices than one machine holds. */
const MAX_CUDA_DEVICES = 16;

/**
 * Every device an engine could be asked for and whether it works: each one is tried in a process of its own, as a broken
 * driver may crash or hang it. `webgpu` and `cuda:0` are listed even where they do not work, with the reason.
 *
 * @throws {DomainError} CANCELLED, DEADLINE_EXCEEDED when the signal fires between two probes
 */
export async function listDevices({ signal }: EngineCallOptions = {}): Promise<readonly DeviceInfo[]> {
  const models = await readGpuModels();
  const devices = [await probe("cpu", describeCpu())];
  for (let index = 0; index < MAX_CUDA_DEVICES; index += 1) {
    assertNotAborted(signal);
    const found = await probe(`cuda:${index}`, models[index] ?? "CUDA device");
    if (index === 0 || found.isAvailable) devices.push(found);
    if (!found.isAvailable) break;
  }
  assertNotAborted(signal);
  devices.push(await probe("webgpu", "WebGPU adapter"));
  return devices;
}

async function probe(name: string, description: string): Promise<DeviceInfo> {
  const { intraOpThreads, cacheBytes, maxSessions, allowSpinning } = resolveEngineOptions({ intraOpThreads: 1 });
  const options = { device: name, intraOpThreads, cacheBytes, maxSessions, allowSpinning, transferDir: tmpdir() };
  const process = createEngineProcess(options, PROBE_MS);
  try {
    await process.ready;
    return { name, isAvailable: true, detail: description };
  } catch (error) {
    return { name, isAvailable: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    process.kill(probed());
    await process.ended;
  }
}

function describeCpu(): string {
  const gib = (totalmem() / 2 ** 30).toFixed(1);
  return `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} threads, ${gib} GiB`;
}

/** The models of NVIDIA devices as the driver lists them, in its order; none without a driver. */
async function readGpuModels(): Promise<string[]> {
  const root = "/proc/driver/nvidia/gpus";
  const folders = await readdir(root).catch(() => []);
  const models: string[] = [];
  for (const folder of folders.sort()) {
    const text = await readFile(join(root, folder, "information"), "utf8").catch(() => "");
    models.push(/^Model:\s*(.+)$/m.exec(text)?.[1] ?? "CUDA device");
  }
  return models;
}

/** A probed process is not waited for: a driver may take seconds to be put away. */
function probed(): DomainError {
  return new DomainError("CANCELLED", "the device was probed");
}
