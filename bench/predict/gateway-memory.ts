/**
 * @file Memory of a gateway process while bags of growing size pass through the system.
 *
 *     node bench/predict/gateway-memory.ts [--mb 1,100,400]
 *
 * Before the measurement 100 MB are uploaded in small bags, so that what the process needs for any traffic is there.
 */
import { parseArgs } from "node:util";
import { describeMachine, memoryMib } from "../lib/machine.ts";
import { startServiceProcesses } from "../lib/service-processes.ts";
import { uploadSynthetic } from "../lib/synthetic-bags.ts";
import { trainThroughGateway } from "../lib/trained-model.ts";

const D = 1024;
/** How often the process's memory is looked at. */
const SAMPLE_MS = 10;

/** Greatest resident memory of a process during `work`, MiB. */
async function peakDuring(pid: number | undefined, work: () => Promise<unknown>): Promise<number> {
  let peak = memoryMib(pid, "VmRSS");
  const timer = setInterval(() => (peak = Math.max(peak, memoryMib(pid, "VmRSS"))), SAMPLE_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return peak;
}

async function main(sizesMb: readonly number[]): Promise<void> {
  const services = await startServiceProcesses({ PARFOCAL_THREADS: "0" });
  const { clients, gatewayPid: pid } = services;
  try {
    const model = await trainThroughGateway(clients, D);
    for (let seed = 10; seed < 30; seed++) await uploadSynthetic(clients, { n: 1280, d: D, seed });
    console.log(`Resident memory of the gateway process, ${describeMachine()}`);
    for (const [i, mb] of sizesMb.entries()) {
      const before = memoryMib(pid, "VmRSS");
      const n = Math.round((mb * 1e6) / (D * 4));
      const peak = await peakDuring(pid, async () => {
        const { name: bag } = await uploadSynthetic(clients, { n, d: D, seed: 1000 + i });
        await clients.prediction.predict({ model: model.name, bag }, { timeoutMs: 120_000 });
      });
      const after = memoryMib(pid, "VmRSS");
      const text = [before, peak, after].map((mib) => mib.toFixed(0));
      console.log(
        `  ${`${mb} MB`.padStart(7)} uploaded and predicted: before ${text[0]}, at most ${text[1]}, after ${text[2]} MiB`,
      );
    }
  } finally {
    await services.close();
  }
}

const { values } = parseArgs({ options: { mb: { type: "string", default: "1,100,400" } } });
await main(values.mb.split(",").map(Number));
