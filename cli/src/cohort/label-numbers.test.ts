import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { type EventReading, eventReader } from "./label-numbers.ts";
import { parseTable } from "./read-table.ts";

/** What a row of a time and a cell of a column says. */
function read(column: string, time: string, cell: string): EventReading | undefined {
  const table = parseTable(`time,${column}\n${time},${cell}\n`, "the labels table");
  return table.rows.map(eventReader(table, { eventColumn: column }))[0];
}

/** Whether one cell of a column is read as an event. */
function isEvent(column: string, cell: string): boolean | undefined {
  const reading = read(column, "1", cell);
  return reading !== undefined && "survival" in reading ? reading.survival.event : undefined;
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

  it.each(["7", "2", "lost", "none"])("are refused where a cell is %j", (cell) => {
    expect(() => isEvent("event", cell)).toThrow(`"${cell}" is neither 0 nor 1`);
    expect(() => isEvent("vital_status", cell)).toThrow(`"${cell}" is neither 0 nor 1`);
  });

  it.each([
    ["", "", ""],
    ["NA", "1", "NA"],
    ["3", "unknown", "unknown"],
    ["none", "0", "none"],
  ])("are missing where the time is %j and the event %j", (time, event, missing) => {
    expect(read("event", time, event)).toEqual({ missing });
  });

  it("are read where the time is missing, and times where the event is", () => {
    expect(() => read("event", "", "7")).toThrow('line 2 of the labels table, column event: "7" is neither 0 nor 1');
    expect(() => read("event", "soon", "")).toThrow('line 2 of the labels table, column time: "soon" is no number');
    expect(() => read("event", "-2", "NA")).toThrow("column time: -2 is below 0");
  });
});
