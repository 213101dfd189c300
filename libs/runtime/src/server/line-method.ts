import { lineV1 } from "@parfocal/protocol";

/** The method that carries the calls of others. */
export const LINE_METHOD = `${lineV1.LineServiceDefinition.fullName}/${lineV1.LineServiceDefinition.methods.open.name}`;
