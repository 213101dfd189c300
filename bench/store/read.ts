/**
 * How fast a large object is read through the store, as a ranged read and verified by its digest, against a bare ranged GET
 * of the same server.
 *
 *   PARFOCAL_BENCH_STORE=s3://bucket/prefix PARFOCAL_S3_ENDPOINT=... AWS_ACCESS_KEY_ID=... node bench/store/read.ts [MiB] [rounds]
 *
 * Rounds alternate, so that noise of the machine meets both; the medians are compared. Needs an http:// endpoint.
 */
import { randomBytes } from "node:crypto";
import { Agent, get as httpGet } from "node:http";
import { type ObjectStore, openStore, putIfAbsent, readVerified, storeOptionsFromEnv } from "@parfocal/store";

const MIB = 1024 * 1024;

async function main(nMib: number, nRounds: number): Promise<void> {
  const uri = process.env.PARFOCAL_BENCH_STORE;
  if (uri === undefined) throw new Error("PARFOCAL_BENCH_STORE is not set: s3://bucket/prefix");
  const store = openStore(uri, storeOptionsFromEnv(process.env));
  const sizeBytes = nMib * MIB;
  const { key, digest } = await putIfAbsent(store, "bench-read", randomBytes(sizeBytes));
  try {
    const bare: number[] = [];
    const plain: number[] = [];
    const verified: number[] = [];
    const url = await store.presign(key, "GET", 3600);
    for (let round = 0; round < nRounds + 1; round += 1) {
      const range = { start: 0, end: sizeBytes };
      const rates = [
        await rateOf(nMib, () => bareGet(url, sizeBytes)),
        await rateOf(nMib, () => store.get(key, { range })),
        await rateOf(nMib, () => readVerified(store, key, { digest, sizeBytes })),
      ] as const;
      // The first round warms the server's cache, the sockets and the compiler.
      if (round === 0) continue;
      for (const [i, list] of [bare, plain, verified].entries()) list.push(rates[i] ?? Number.NaN);
      console.log(`round ${round}: ${describe(rates)}`);
    }
    report(bare, plain, verified);
  } finally {
    await clean(store, key);
  }
}

function describe([bare, plain, verified]: readonly [number, number, number]): string {
  return `bare ${bare.toFixed(0)} MB/s, ranged read ${plain.toFixed(0)} MB/s, verified ${verified.toFixed(0)} MB/s`;
}

function report(...lists: readonly [readonly number[], readonly number[], readonly number[]]): void {
  const [bare, plain, verified] = [median(lists[0]), median(lists[1]), median(lists[2])];
  console.log(`median: ${describe([bare, plain, verified])}`);
  console.log(`ratio to bare: ranged read ${(plain / bare).toFixed(2)}, verified ${(verified / bare).toFixed(2)}`);
}

async function clean(store: ObjectStore, key: string): Promise<void> {
  await store.delete(key);
  store.close();
}

async function rateOf(nMib: number, work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (nMib * MIB) / 1e6 / ((performance.now() - startMs) / 1000);
}

const agent = new Agent({ keepAlive: true });

function bareGet(url: string, sizeBytes: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const target = new Uint8Array(sizeBytes);
  let at = 0;
  const headers = { range: `bytes=0-${sizeBytes - 1}` };
  httpGet(url, { agent, headers }, (response) => {
    response.on("data", (chunk: Uint8Array) => {
      target.set(chunk, at);
      at += chunk.length;
    });
    response.on("end", () => resolve(target));
    response.on("error", reject);
  }).on("error", reject);
  return promise;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

await main(Number(process.argv[2] ?? 256), Number(process.argv[3] ?? 7));
agent.destroy();
