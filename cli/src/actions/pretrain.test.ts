import { gatewayV1 } from "@parfocal/protocol";
import { expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { assertOnePerSlide } from "./pretrain.ts";

const bagOf = (digit: string, slideId: string) =>
  gatewayV1.Bag.fromPartial({ name: `projects/p/bags/${digit.repeat(64)}`, info: { slideId, levelCount: 3 } });

it("takes one region bag of each slide, and as many that name none as there are", () => {
  expect(() => assertOnePerSlide([bagOf("a", "S1"), bagOf("b", "S2"), bagOf("c", ""), bagOf("d", "")])).not.toThrow();
});

it("says which bags are of one slide, and of how many slides there are several", () => {
  const bags = [bagOf("a", "S1"), bagOf("b", "S2"), bagOf("c", "S1"), bagOf("d", "S2"), bagOf("e", "S3")];
  expect(() => assertOnePerSlide(bags)).toThrow(UsageError);
  expect(() => assertOnePerSlide(bags)).toThrow(
    "slide \"S1\" has 2 region bags, aaaaaaaaaaaa and cccccccccccc; the same goes for 1 other slide: name one of them by its digest in --bags, or delete the others by 'parfocal bags delete'",
  );
  expect(() => assertOnePerSlide(bags.slice(0, 3))).toThrow(
    /^slide "S1" has 2 region bags, aaaaaaaaaaaa and cccccccccccc: name one of them/u,
  );
});
