import { createRng } from "@parfocal/metrics";
import type { gatewayV1 } from "@parfocal/protocol";
import { encodeNpy } from "../../test/lib/npy.ts";
import type { Clients } from "../../test/lib/services.ts";

/** Project of the benchmarks. */
export const PARENT = "projects/bench";

/** Rows made at a time; an upload holds no more of its bag than this. */
const BLOCK_ROWS = 256;

/** A bag of random features. Legend: N tiles, D features. */
export interface SyntheticBag {
  readonly n: number;
  readonly d: number;
  /** Another seed, another bag. */
  readonly seed: number;
}

/** The upload of a bag as `.npy`, made as it is sent: the same block of rows again and again, each time shifted. */
async function* piecesOf({ n, d, seed }: SyntheticBag): AsyncIterable<gatewayV1.UploadBagRequest> {
  const head = Buffer.from(encodeNpy([n, d], new Float32Array()));
  const sizeBytes = BigInt(head.length + n * d * 4);
  const header = { parent: PARENT, fileName: `bag-${seed}-${n}.npy`, sizeBytes, hints: undefined };
  yield { piece: { $case: "header", value: header } };
  yield { piece: { $case: "chunk", value: head } };
  const rng = createRng(BigInt(seed));
  const block = Float32Array.from({ length: BLOCK_ROWS * d }, () => 2 * rng.nextFloat() - 1);
  const bytes = Buffer.from(block.buffer);
  for (let row = 0; row < n; row += BLOCK_ROWS) {
    block[0] = row / n;
    const end = Math.min(BLOCK_ROWS, n - row) * d * 4;
    for (let start = 0; start < end; start += 262_144) {
      yield { piece: { $case: "chunk", value: Buffer.from(bytes.subarray(start, Math.min(end, start + 262_144))) } };
    }
  }
}

/** Uploads a bag through the gateway. @throws When it makes no single bag. */
export async function uploadSynthetic(clients: Clients, bag: SyntheticBag): Promise<gatewayV1.Bag> {
  const { bags } = await clients.bags.uploadBag(piecesOf(bag), { timeoutMs: 600_000 });
  const result = bags[0]?.result;
  if (bags.length !== 1 || result?.$case !== "bag") throw new Error(`no single bag: ${JSON.stringify(result?.value)}`);
  return result.value;
}
