import { UsageError } from "../exit-codes.ts";

/**
 * The resource name that a user's short form means: `tumour`, `tumour@production`, `tumour/versions/…`, `tumour/aliases/…`, or
 * the full name itself.
 *
 * @throws {UsageError} for anything else.
 */
export function modelNameOf(parent: string, text: string): string {
  if (text.startsWith("projects/")) return text;
  const [id = "", alias, ...more] = text.split("@");
  if (id === "" || more.length > 0 || alias === "") {
    throw new UsageError(`--model "${text}" is no model id, id@alias or resource name`);
  }
  return `${parent}/models/${id}${alias === undefined ? "" : `/aliases/${alias}`}`;
}
