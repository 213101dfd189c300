import { describe, expect, it } from "vitest";
import { SettingError } from "../setting-error.ts";
import { assertSitesWhole } from "./divided-sites.ts";

describe("sites of patients", () => {
  it("are one each, told by line and without a name", () => {
    const rows = [
      { line: 2, patient: "Ada", site: "Bern" },
      { line: 3, patient: "Eve", site: "Graz" },
      { line: 5, patient: "Ada", site: "Graz" },
    ];
    const message = "lines 2 and 5 of the labels table are of one patient and of two sites; a patient is of one";
    expect(() => assertSitesWhole(rows)).toThrow(new SettingError({ setting: "siteColumn" }, message));
  });

  it("do not matter to slides without a patient, nor where nobody asked for them", () => {
    const slides = [
      { line: 2, site: "Bern" },
      { line: 3, site: "Graz" },
    ];
    expect(() => assertSitesWhole(slides)).not.toThrow();
    const patients = [
      { line: 2, patient: "Ada" },
      { line: 3, patient: "Ada" },
    ];
    expect(() => assertSitesWhole(patients)).not.toThrow();
  });
});
