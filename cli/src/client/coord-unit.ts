import { gatewayV1 } from "@parfocal/protocol";
import type { CoordUnit } from "../report/index.ts";

const { COORDINATE_UNIT_UNSPECIFIED, COORDINATE_UNIT_LEVEL0_PX, COORDINATE_UNIT_ENCODED_PX } =
  gatewayV1.BagInfo_CoordinateUnit;

/** Sources that do not say are read as level-0 pixels, and so are bags of gateways that do not tell. */
const UNITS: Readonly<Record<number, CoordUnit>> = {
  [COORDINATE_UNIT_UNSPECIFIED]: "level0_px",
  [COORDINATE_UNIT_LEVEL0_PX]: "level0_px",
  [COORDINATE_UNIT_ENCODED_PX]: "encoded_px",
};

/** What the coordinates of a bag count; `unknown` where the gateway tells a unit that came after this version. */
export function coordUnitOf({ info }: Pick<gatewayV1.Bag, "info">): CoordUnit {
  return UNITS[info?.coordinateUnit ?? COORDINATE_UNIT_UNSPECIFIED] ?? "unknown";
}
