import { expect, it } from "vitest";
import { nearestName } from "./nearest-name.ts";

it.each([
  ["lable", ["slide", "label"], "label"],
  ["hospitals", ["hospital", "slide"], "hospital"],
  ["attention_widht", ["attention_width", "kind"], "attention_width"],
  ["epoch", ["seed", "n_epochs"], "n_epochs"],
  ["age", ["label", "slide"], undefined],
])("the name that is nearest to %s is found among %j", (wanted, known, near) => {
  expect(nearestName(wanted, known)).toBe(near);
});
