export type { Bag, BagMetadata, BagRef } from "./bag.ts";
