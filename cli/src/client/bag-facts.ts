import { commonV1, type gatewayV1, parseResourceName } from "@parfocal/protocol";

/** What people and programs are shown of a bag. */
export interface BagFacts {
  /** Resource name. */
  readonly bag: string;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
  readonly slide: string;
  /** Tiles. */
  readonly n: number;
  /** Features per tile. */
  readonly d: number;
  readonly dtype: "F16" | "F32";
  readonly hasCoords: boolean;
}

/** The facts of a bag. */
export function bagFactsOf({ name, reference, info }: gatewayV1.Bag): BagFacts {
  return {
    bag: name,
    digest: parseResourceName("bag", name).bag,
    slide: info?.slideId ?? "",
    n: reference?.tileCount ?? 0,
    d: reference?.featureDim ?? 0,
    dtype: reference?.dtype === commonV1.DataType.DATA_TYPE_F16 ? "F16" : "F32",
    hasCoords: reference?.hasCoordinates ?? false,
  };
}
