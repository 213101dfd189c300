import { SettingError } from "../setting-error.ts";

/** A row of a labels table with what tells its patient from others. */
export interface SiteRow {
  /** In the table, from 1. */
  readonly line: number;
  /** Absent: sites do not matter. */
  readonly site?: string;
  /** Absent: a patient of its own. */
  readonly patient?: string;
}

/**
 * Checks that folds can keep sites whole and patients too.
 *
 * @throws {SettingError} of `siteColumn` for a patient of two sites, with the lines of the table and no name.
 */
export function assertSitesWhole(rows: readonly SiteRow[]): void {
  const first = new Map<string, SiteRow>();
  for (const row of rows) {
    const { line, site, patient } = row;
    if (site === undefined || patient === undefined) continue;
    const before = first.get(patient) ?? row;
    first.set(patient, before);
    if (before.site === site) continue;
    const message = `lines ${before.line} and ${line} of the labels table are of one patient and of two sites; a patient is of one`;
    throw new SettingError({ setting: "siteColumn" }, message);
  }
}
