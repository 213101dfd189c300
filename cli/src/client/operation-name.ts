/** The resource name of an operation that a user names by its id, by `operations/<id>`, or by the full name itself. */
export function operationNameOf(parent: string, text: string): string {
  return text.startsWith("projects/") ? text : `${parent}/operations/${text.replace(/^operations\//, "")}`;
}

/** The id of an operation by its resource name. */
export function operationIdOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
