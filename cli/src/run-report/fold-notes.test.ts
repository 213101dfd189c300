import { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { foldsSection } from "../report/folds-section.ts";
import { foldNotes } from "./fold-notes.ts";
import { foldTable } from "./fold-table.ts";

const responseOf = (folds: object[], imbalance?: number) =>
  gatewayV1.CrossValidateResponse.fromPartial({ folds, ...(imbalance === undefined ? {} : { imbalance }) });

describe("notes on folds", () => {
  it("name the folds that train or test without a class, each class once", () => {
    const folds = [
      { repeat: 1, fold: 1, testLacks: ["tumour", "rare"] },
      { repeat: 1, fold: 2, trainLacks: ["tumour"] },
      { repeat: 1, fold: 3, testLacks: ["tumour"] },
    ];
    expect(foldNotes(responseOf(folds))).toEqual([
      "Folds 1, 3 test without a single slide of tumour.",
      "Fold 1 tests without a single slide of rare.",
      "Fold 2 trains without a single slide of tumour.",
    ]);
    expect(foldNotes(responseOf([{ repeat: 1, fold: 1 }]))).toEqual([]);
  });

  it("name folds by their repeat where there are several", () => {
    const folds = [
      { repeat: 1, fold: 2, testLacks: ["rare"] },
      { repeat: 2, fold: 1, testLacks: ["rare"] },
    ];
    expect(foldNotes(responseOf(folds))).toEqual(["Folds 1.2, 2.1 test without a single slide of rare."]);
  });

  it("say how balanced folds of whole sites are, in the report too", () => {
    const response = responseOf([{ repeat: 1, fold: 1, testLacks: ["<b>"] }], 0.1234);
    const balance =
      "Sites were kept whole: in the mean a fold tests 12.3 % more or fewer patients of a class (event, quarter of the numbers) than an even share.";
    expect(foldNotes(response)).toEqual(["Fold 1 tests without a single slide of <b>.", balance]);
    const html = foldsSection(foldTable(response)).text;
    expect(html).toContain(balance);
    expect(html).toContain("Fold 1 tests without a single slide of &lt;b&gt;.");
  });
});
