import type { gatewayV1 } from "@parfocal/protocol";
import { PRESETS } from "../presets.ts";

/** `ListPresets`: the named recipes, every value written out. */
export function createListPresets() {
  return (_request: gatewayV1.ListPresetsRequest): Promise<gatewayV1.ListPresetsResponse> =>
    Promise.resolve({ presets: [...PRESETS] });
}
