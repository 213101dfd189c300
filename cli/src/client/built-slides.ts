import { gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import type { GatewayClients } from "./clients.ts";
import { fileNameOf } from "./results.ts";

/** What came of each slide of a finished `BuildRegions`, in the order of the request: also of those that its answer does not hold. */
export async function builtSlides(
  { watching }: Pick<GatewayClients, "watching">,
  { name, result }: googleLongrunning.Operation,
  signal: AbortSignal,
): Promise<gatewayV1.BuiltRegions[]> {
  if (result?.$case !== "response") return [];
  const { slides, listing } = gatewayV1.BuildRegionsResponse.decode(result.value.value);
  if (listing === undefined) return slides;
  const file = fileNameOf(listing);
  const chunks = await Array.fromAsync(watching.downloadResult({ name, file }, { signal }), ({ chunk }) => chunk);
  const lines = Buffer.concat(chunks).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => gatewayV1.BuiltRegions.fromJSON(JSON.parse(line)));
}
