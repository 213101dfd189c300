import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { DomainError, isDomainError } from "@parfocal/errors";
import type { Logger } from "../telemetry/logger.ts";

/** Something made of files that may be replaced while the process runs. */
export interface ReloadedFiles<T> {
  /** Made of the newest contents that could be read. */
  readonly current: T;
  /** Looks at the files now. Never rejects: what cannot be used leaves {@link current} as it is. */
  check(): Promise<void>;
  /** Stops looking. */
  close(): void;
}

/** Options of {@link createReloadedFiles}. */
export interface ReloadedFilesOptions<Name extends string, T> {
  /** Paths by the environment variable that gives them. */
  readonly paths: Readonly<Record<Name, string>>;
  /** Makes the value; throws for contents that do not fit each other, which half-written files do not. */
  readonly parse: (contents: Readonly<Record<Name, Buffer>>) => T;
  /** Hears of every new value after the first. */
  readonly onChange?: (value: T) => void;
  /** What the files are, for the log: `TLS files`. */
  readonly what: string;
  /** Pause between looks, ms. Contents are compared, not times: mounted secrets keep theirs. */
  readonly reloadMs: number;
  readonly logger: Logger;
}

/**
 * Reads files now and again whenever their contents change. New contents that cannot be used are refused with one
 * warning, and what was read before stays in force until good ones are there.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the variable, when the first contents cannot be read or used.
 */
export function createReloadedFiles<Name extends string, T>(options: ReloadedFilesOptions<Name, T>): ReloadedFiles<T> {
  const { paths, parse, onChange, what, reloadMs, logger } = options;
  const names = Object.keys(paths) as Name[];
  let contents = readAllNow(names, paths);
  let current = parse(contents);
  let refused = "";

  async function check(): Promise<void> {
    try {
      const next = await readAll(names, paths);
      if (names.every((name) => next[name].equals(contents[name]))) {
        refused = "";
        return;
      }
      current = parse(next);
      contents = next;
      refused = "";
      onChange?.(current);
      logger.info(`${what} renewed`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== refused) logger.warn(`new ${what} refused, the old ones stay in force`, { error });
      refused = reason;
    }
  }

  const timer = setInterval(() => void check(), reloadMs);
  timer.unref();
  return {
    get current() {
      return current;
    },
    check,
    close: () => clearInterval(timer),
  };
}

type Contents<Name extends string> = Record<Name, Buffer>;

function readAllNow<Name extends string>(names: readonly Name[], paths: Readonly<Record<Name, string>>) {
  const read = (name: Name) => {
    try {
      return readFileSync(paths[name]);
    } catch (error) {
      throw unreadable(name, error);
    }
  };
  return Object.fromEntries(names.map((name) => [name, read(name)])) as Contents<Name>;
}

async function readAll<Name extends string>(names: readonly Name[], paths: Readonly<Record<Name, string>>) {
  const read = (name: Name) => readFile(paths[name]).catch((error: unknown) => Promise.reject(unreadable(name, error)));
  const entries = await Promise.all(names.map(async (name) => [name, await read(name)] as const));
  return Object.fromEntries(entries) as Contents<Name>;
}

function unreadable(name: string, cause: unknown): DomainError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
  return new DomainError("INVALID_ARGUMENT", `the file that ${name} names cannot be read (${code})`, { cause });
}

/** The error of a file whose contents cannot be used, with the reason of whoever tried. */
export function unusable(name: string, cause: unknown): DomainError {
  if (isDomainError(cause)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DomainError("INVALID_ARGUMENT", `the file that ${name} names cannot be used: ${reason}`, { cause });
}
