import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { eventReader } from "./label-numbers.ts";
import { parseTable } from "./read-table.ts";

/** Whether one cell of a column is read as an event. */
function isEvent(column: string, cell: string): boolean | undefined {
  const table = parseTable(`time,${column}\n1,${cell}\n`, "the labels table");
  return table.rows.map(eventReader(table, { eventColumn: column }))[0]?.event;
}

const EVENTS = ["event", "status", "os_event", "OS_STATUS", "os", "death", "dead"];
const CENSORINGS = ["censorship", "censored", "Is_Censored", "alive", "living"];
const OPEN = ["vital_status", "Vital Status", "survival.status", "cens", "censor"];

describe("events", () => {
  it.each([...EVENTS, ...CENSORINGS, ...OPEN])("mean themselves where words say so, in a column %s", (column) => {
    const happened = ["event", "Dead", "deceased", "DIED", "1:DECEASED", "1:dead"];
    const notSeen = ["censored", "Alive", "living", "0:LIVING", "0:Alive", "0:CENSORED"];
    expect(happened.map((cell) => isEvent(column, cell))).toEqual(happened.map(() => true));
    expect(notSeen.map((cell) => isEvent(column, cell))).toEqual(notSeen.map(() => false));
  });

  it.each(EVENTS)("are a 1 and a yes in a column %s", (column) => {
    expect(["1", "1.0", "yes", "TRUE", "1:Recurred/Progressed"].map((cell) => isEvent(column, cell))).not.toContain(
      false,
    );
    expect(["0", "0.0", "no", "False", "0:DiseaseFree"].map((cell) => isEvent(column, cell))).not.toContain(true);
  });

  it.each(CENSORINGS)("are a 0 and a no in a column %s", (column) => {
    expect(["1", "1.0", "yes", "TRUE"].map((cell) => isEvent(column, cell))).not.toContain(true);
    expect(["0", "0.0", "no", "False"].map((cell) => isEvent(column, cell))).not.toContain(false);
  });

  it.each([
    ...OPEN.flatMap((column) => ["0", "1", "yes", "1:Recurred"].map((cell) => [column, cell])),
    ["censorship", "1:Recurred"],
    ["event", "1:LIVING"],
    ["os_status", "0:DECEASED"],
  ])("are refused where a column %s has %s, which may mean either", (column = "", cell = "") => {
    expect(() => isEvent(column, cell)).toThrow(UsageError);
    expect(() => isEvent(column, cell)).toThrow(
      `line 2 of the labels table, column ${column}: "${cell}" may mean an event or none; write event or censored`,
    );
  });

  it.each(["7", "", "2", "lost"])("are refused where a cell is %j", (cell) => {
    expect(() => isEvent("event", cell)).toThrow(`"${cell}" is neither 0 nor 1`);
    expect(() => isEvent("vital_status", cell)).toThrow(`"${cell}" is neither 0 nor 1`);
  });
});
