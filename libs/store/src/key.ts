import { DomainError } from "@parfocal/errors";

/** The longest key in UTF-8 bytes: the bound of S3. */
export const MAX_KEY_BYTES = 1024;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Checks an object's key: 1 to 1024 UTF-8 bytes, parts separated by single `/`, no part `.` or `..`, no control
 * character, no unpaired surrogate. Messages give positions, never the key: keys may name slides.
 *
 * @throws {DomainError} INVALID_ARGUMENT when one of these is broken.
 */
export function assertKey(key: string): void {
  assertText(key, "key");
  if (key.length === 0) throw invalid("the key is empty: it needs at least 1 character");
  key.split("/").forEach((part, index) => {
    if (part === "") throw invalid(`part ${index + 1} of the key is empty: "/" may not lead, trail or repeat`);
    if (part === "." || part === "..") throw invalid(`part ${index + 1} of the key is "${part}", which is no name`);
  });
}

/**
 * Checks the prefix of a listing: like a key, but it may be empty and may end anywhere.
 *
 * @throws {DomainError} INVALID_ARGUMENT when it could begin no key.
 */
export function assertPrefix(prefix: string): void {
  assertText(prefix, "prefix");
}

/** Orders keys by their UTF-8 bytes, as S3 lists them (JavaScript's own order differs beyond U+D800). */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function assertText(text: string, what: string): void {
  const nBytes = Buffer.byteLength(text);
  if (nBytes > MAX_KEY_BYTES) throw invalid(`the ${what} has ${nBytes} bytes, the bound is ${MAX_KEY_BYTES}`);
  if (CONTROL.test(text)) throw invalid(`the ${what} has a control character at ${text.search(CONTROL)}`);
  if (!text.isWellFormed()) throw invalid(`the ${what} has an unpaired surrogate: it is not Unicode text`);
}

function invalid(message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", message);
}
