import type { BagMetadata } from "@parfocal/bags";

/** What a request says of a bag; empty: nothing. */
interface Given {
  readonly patientId: string;
  readonly groupId: string;
}

/**
 * What keeps bags in one part: the patient that a request gives, else the bag's own; where none is known the slide, in words that no
 * patient's id can be. Empty where nothing is known, and for bags of a group, which keeps them together: a stage takes them for one
 * patient, and a bag by itself for a patient of its own.
 */
export function patientKeyOf({ patientId, slideId }: BagMetadata, given?: Given): string {
  if (given !== undefined && given.patientId !== "") return given.patientId;
  if (patientId !== undefined) return patientId;
  const isAlone = given === undefined || given.groupId === "";
  return isAlone && slideId !== undefined ? `\u0000slide ${slideId}` : "";
}
