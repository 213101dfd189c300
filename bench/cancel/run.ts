/**
 * How long a training goes on after its operation was cancelled: from the call to the operation being done, engine freed.
 *
 *   node bench/cancel/run.ts [--rounds 7]
 */
import { parseArgs } from "node:util";
import { plantCohort } from "../../test/lib/cohort.ts";
import { metadataOf, trainRequest, uploadCohort } from "../../test/lib/requests.ts";
import { createClients } from "../../test/lib/services.ts";
import { startEmbedded } from "../lib/embedded.ts";
import { describeMachine } from "../lib/machine.ts";

/** What operations promise. */
const TARGET_MS = 2000;
/** More epochs than any round waits for. */
const EPOCHS = 5000;

async function main(nRounds: number): Promise<void> {
  const embedded = await startEmbedded();
  const clients = createClients(embedded.gatewayAddress);
  const times: number[] = [];
  try {
    const slides = plantCohort(24);
    const names = await uploadCohort(clients, slides);
    for (let round = 0; round < nRounds; round += 1) {
      const { name } = await clients.training.train(trainRequest(slides, names, { epochs: EPOCHS }));
      for await (const { operation } of clients.watching.watchOperation({ name })) {
        if (metadataOf(operation).phase.startsWith("epoch")) break;
      }
      const startMs = performance.now();
      await clients.operations.cancelOperation({ name });
      const done = await clients.operations.waitOperation({ name }, { timeoutMs: 60_000 });
      if (done.result?.$case !== "error") throw new Error("the training was not cancelled");
      times.push(performance.now() - startMs);
    }
  } finally {
    clients.channel.close();
    await embedded.close();
  }
  times.sort((a, b) => a - b);
  const [median = Number.NaN, greatest = Number.NaN] = [times[Math.floor(times.length / 2)], times.at(-1)];
  console.log(`Cancel of a running training, ${nRounds} times, ${describeMachine()}`);
  console.log(`  until it is done: median ${median.toFixed(0)} ms, greatest ${greatest.toFixed(0)} ms`);
  console.log(`  target: at most ${TARGET_MS} ms: ${greatest <= TARGET_MS ? "met" : "missed"}`);
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "7" } } });
await main(Number(values.rounds));
