/**
 * How long a training, and a batch, go on after their operation was cancelled: from the call to the operation being done, engine
 * freed.
 *
 *   node bench/cancel/run.ts [--rounds 7] [--bags 400]
 */
import { parseArgs } from "node:util";
import type { googleLongrunning } from "@parfocal/protocol";
import { openStore } from "@parfocal/store";
import { enterBags, startBatch } from "../../test/lib/batches.ts";
import { PLANTED_DIM, plantCohort } from "../../test/lib/cohort.ts";
import { metadataOf, PARENT, trainedModel, trainRequest, uploadCohort } from "../../test/lib/requests.ts";
import { type Clients, createClients } from "../../test/lib/services.ts";
import { startEmbedded } from "../lib/embedded.ts";
import { describeMachine } from "../lib/machine.ts";

/** What operations promise. */
const TARGET_MS = 2000;
/** More epochs than any round waits for. */
const EPOCHS = 5000;
/** Tiles of a bag of the batch. */
const TILES = 10_000;

/** Starts an operation, waits until it is at work, cancels it; gives milliseconds from there to its end. */
async function measureCancel(
  { operations, watching }: Clients,
  start: () => Promise<googleLongrunning.Operation>,
  isAtWork: (operation: googleLongrunning.Operation | undefined) => boolean,
): Promise<number> {
  const { name } = await start();
  for await (const { operation } of watching.watchOperation({ name })) if (isAtWork(operation)) break;
  const startMs = performance.now();
  await operations.cancelOperation({ name });
  const done = await operations.waitOperation({ name }, { timeoutMs: 60_000 });
  if (done.result?.$case !== "error") throw new Error(`${name} was not cancelled`);
  return performance.now() - startMs;
}

async function report(what: string, nRounds: number, measure: () => Promise<number>): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < nRounds; round += 1) times.push(await measure());
  times.sort((a, b) => a - b);
  const [median = Number.NaN, greatest = Number.NaN] = [times[Math.floor(times.length / 2)], times.at(-1)];
  const verdict = greatest <= TARGET_MS ? "met" : "missed";
  console.log(
    `  ${what}: median ${median.toFixed(0)} ms, greatest ${greatest.toFixed(0)} ms (target ${TARGET_MS}): ${verdict}`,
  );
}

async function main(nRounds: number, nBags: number): Promise<void> {
  const embedded = await startEmbedded();
  const clients = createClients(embedded.gatewayAddress);
  const store = openStore(embedded.storeUri);
  try {
    console.log(`From the cancel of a running operation until it is done, ${nRounds} times each, ${describeMachine()}`);
    const slides = plantCohort(24);
    const names = await uploadCohort(clients, slides);
    const train = (epochs: number) => clients.training.train(trainRequest(slides, names, { epochs }));
    const { name: model } = await trainedModel(clients, await train(1));
    await report("training", nRounds, () =>
      measureCancel(
        clients,
        () => train(EPOCHS),
        (operation) => metadataOf(operation).phase.startsWith("epoch"),
      ),
    );
    const project = PARENT.split("/").at(-1) ?? "";
    const bags = await enterBags(store, project, { count: nBags, n: TILES, d: PLANTED_DIM });
    const manifest = `bag\n${bags.join("\n")}\n`;
    await report(`batch of ${nBags} bags of ${TILES} x ${PLANTED_DIM}`, nRounds, () =>
      measureCancel(
        clients,
        () => startBatch(clients, manifest, { models: [model] }),
        (operation) => (metadataOf(operation).counters.scored ?? 0) > 0,
      ),
    );
  } finally {
    store.close();
    clients.channel.close();
    await embedded.close();
  }
}

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, bags: { type: "string", default: "400" } },
});
await main(Number(values.rounds), Number(values.bags));
