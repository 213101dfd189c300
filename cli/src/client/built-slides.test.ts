import { gatewayV1, packAny } from "@parfocal/protocol";
import { expect, it } from "vitest";
import { builtSlides } from "./built-slides.ts";

const NEVER = new AbortController().signal;
const NAME = "projects/p/operations/o";

const refused = (message: string): gatewayV1.BuiltRegions => ({
  result: { $case: "error", value: { code: "GEOMETRY_MISMATCH", message } },
  report: undefined,
});

function doneWith(response: gatewayV1.BuildRegionsResponse) {
  const packed = packAny("parfocal.gateway.v1.BuildRegionsResponse", gatewayV1.BuildRegionsResponse, response);
  return { name: NAME, metadata: undefined, done: true, result: { $case: "response" as const, value: packed } };
}

it("gives what the answer holds when it holds all", async () => {
  const slides = [refused("a"), refused("b")];
  const watching = { downloadResult: () => expect.unreachable("nothing is to be fetched") } as never;
  expect(await builtSlides({ watching }, doneWith({ slides, listing: undefined }), NEVER)).toEqual(slides);
});

it("fetches what the answer does not hold, however it is cut into chunks", async () => {
  const slides = [refused("first, ä"), refused("second")];
  const lines = slides.map((slide) => `${JSON.stringify(gatewayV1.BuiltRegions.toJSON(slide))}\n`).join("");
  const asked: unknown[] = [];
  async function* downloadResult(request: unknown) {
    asked.push(request);
    for (const byte of Buffer.from(lines)) yield { chunk: Buffer.of(byte) };
  }
  const listing = { uri: "s3://b/operations/p/o/results/slides.jsonl", sha256: "0".repeat(64), sizeBytes: 1n };
  const done = doneWith({ slides: slides.slice(0, 1), listing });
  expect(await builtSlides({ watching: { downloadResult } as never }, done, NEVER)).toEqual(slides);
  expect(asked).toEqual([{ name: NAME, file: "slides.jsonl" }]);
});
