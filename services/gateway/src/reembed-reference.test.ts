import { DomainError } from "@parfocal/errors";
import { commonV1, reembedV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { expect, it } from "vitest";
import type { GatewayDeps } from "./deps.ts";
import { reembedSteps } from "./reembed-reference.ts";

const MADE = commonV1.BagReference.fromPartial({ tileCount: 3 });

/** A stage whose replicas each read as many tiles as their entry says, and go away; the last one gives the bag. */
function leavingStage(replicas: readonly (readonly bigint[])[]) {
  let nAsked = 0;
  const stage = {
    async *reembed() {
      const tiles = replicas[nAsked++] ?? [];
      await Promise.resolve();
      for (const doneTiles of tiles) {
        yield reembedV1.ReembedResponse.fromPartial({ event: { $case: "progress", value: { doneTiles } } });
      }
      if (nAsked < replicas.length) throw new DomainError("UNREACHABLE", "gone");
      yield reembedV1.ReembedResponse.fromPartial({ event: { $case: "bag", value: MADE } });
    },
  };
  return stage as unknown as GatewayDeps["reembed"];
}

it("tells progress that only grows when another replica begins anew", async () => {
  const context = { signal: new AbortController().signal } as unknown as HandlerContext;
  const stage = leavingStage([
    [100n, 200n],
    [100n, 200n, 300n],
  ]);
  const steps = reembedSteps(stage, reembedV1.ReembedRequest.fromPartial({}), context);
  const shown: bigint[] = [];
  for (;;) {
    const step = await steps.next();
    if (step.done === true) {
      expect(step.value).toEqual(MADE);
      break;
    }
    shown.push(step.value.doneTiles);
  }
  expect(shown).toEqual([100n, 200n, 300n]);
});
