const PROJECT = /^projects\/([^/]*)/;
/** Only what can be a name: it goes into records as it is. */
const OPERATION = /^projects\/[A-Za-z0-9._-]{1,63}\/operations\/[A-Za-z0-9._-]{1,63}$/;

/** Collections of the store whose next part is a project. */
const OWNED = /^(?:projects|operations|uploads)\/([^/]+)\//;

/** Stands for what lies in the store and belongs to no project: nobody with fewer than all projects may name it. */
const NOBODYS = "";

/** What a message names. */
export interface NamedResources {
  /** Ids of projects, `""` for what belongs to none. */
  readonly projects: ReadonlySet<string>;
  /** Name of the first operation. */
  readonly operation: string | undefined;
}

/**
 * What a decoded message names, wherever in it: every text that begins with `projects/`, and every URI below the store's
 * root. It looks at values, not at fields, so that a field added to a contract is looked at without anybody's doing.
 *
 * O(texts of the message); bytes are passed over. `isEnough` ends the search early.
 */
export function resourcesNamedBy(
  message: unknown,
  storeRootUri: string | undefined,
  isEnough: (projects: ReadonlySet<string>) => boolean = () => false,
): NamedResources {
  const projects = new Set<string>();
  const root = storeRootUri === undefined ? undefined : `${storeRootUri}/`;
  let operation: string | undefined;
  const waiting: unknown[] = [message];
  while (waiting.length > 0 && !isEnough(projects)) {
    const value = waiting.pop();
    if (typeof value === "string") {
      const project = projectOf(value, root);
      if (project !== undefined) projects.add(project);
      if (operation === undefined && OPERATION.test(value)) operation = value;
    } else if (value !== null && typeof value === "object" && !ArrayBuffer.isView(value)) {
      // In reverse, so that what comes first in the message is looked at first.
      const parts: unknown[] = Array.isArray(value) ? value : Object.values(value);
      for (let i = parts.length - 1; i >= 0; i -= 1) waiting.push(parts[i]);
    }
  }
  return { projects, operation };
}

function projectOf(text: string, root: string | undefined): string | undefined {
  const named = PROJECT.exec(text);
  if (named !== null) return named[1];
  if (root === undefined || !text.startsWith(root)) return undefined;
  return OWNED.exec(text.slice(root.length))?.[1] ?? NOBODYS;
}
