import { DomainError } from "@parfocal/errors";

/** The resource names of Parfocal, by kind. */
export const RESOURCE_PATTERNS = {
  project: "projects/{project}",
  bag: "projects/{project}/bags/{bag}",
  model: "projects/{project}/models/{model}",
  modelVersion: "projects/{project}/models/{model}/versions/{version}",
  modelAlias: "projects/{project}/models/{model}/aliases/{alias}",
  operation: "projects/{project}/operations/{operation}",
  upload: "projects/{project}/uploads/{upload}",
} as const;

/** A kind of resource. */
export type ResourceKind = keyof typeof RESOURCE_PATTERNS;

type IdsIn<Pattern extends string> = Pattern extends `${string}{${infer Id}}${infer Rest}` ? Id | IdsIn<Rest> : never;

/** The ids in the name of a resource of `Kind`, by their name in the pattern. */
export type ResourceIds<Kind extends ResourceKind> = Readonly<Record<IdsIn<(typeof RESOURCE_PATTERNS)[Kind]>, string>>;

/** A parsed name whose kind was one of several. */
export type ParsedResource<Kind extends ResourceKind> = { [K in Kind]: { readonly kind: K } & ResourceIds<K> }[Kind];

/** An id: 1 to 63 characters, first and last a lower-case letter or digit. */
export const RESOURCE_ID_PATTERN = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

/** Bags are named by the SHA-256 of their content, one character longer than other ids may be. */
const BAG_ID_PATTERN = /^[0-9a-f]{64}$/;

/** Longest name that is looked at: three collections with room. */
const MAX_NAME_LENGTH = 256;

/** Whether `id` may stand in a resource name. `..` is refused everywhere: names become keys of the store. */
export function isResourceId(id: string): boolean {
  return RESOURCE_ID_PATTERN.test(id) && !id.includes("..");
}

/**
 * The name of a resource, e.g. `resourceName("bag", { project: "default", bag: sha256 })`.
 *
 * @throws {DomainError} INVALID_ARGUMENT when an id may not stand in a name.
 */
export function resourceName<Kind extends ResourceKind>(kind: Kind, ids: ResourceIds<Kind>): string {
  return RESOURCE_PATTERNS[kind].replace(/\{(\w+)\}/g, (_, key: string) => {
    const id = (ids as Readonly<Record<string, string>>)[key]!;
    assertId(key, id, key);
    return id;
  });
}

/**
 * The ids in `name`, which must be a resource of `kind`. `field` is the field of the request that holds it, for the error.
 *
 * @throws {DomainError} INVALID_ARGUMENT naming the field, the pattern and the bound. The name itself is not repeated:
 * a caller may have put anything in it.
 */
export function parseResourceName<Kind extends ResourceKind>(
  kind: Kind,
  name: string,
  field = "name",
): ResourceIds<Kind> {
  return parseAnyResourceName([kind], name, field);
}

/**
 * The same for a name that may be of several kinds, say a model, a version of it or an alias of it.
 *
 * @throws {DomainError} INVALID_ARGUMENT when it is none of them.
 */
export function parseAnyResourceName<Kind extends ResourceKind>(
  kinds: readonly Kind[],
  name: string,
  field = "name",
): ParsedResource<Kind> {
  const parts = name.length <= MAX_NAME_LENGTH ? name.split("/") : [];
  for (const kind of kinds) {
    const ids = match(RESOURCE_PATTERNS[kind].split("/"), parts);
    if (ids === undefined) continue;
    for (const [key, id] of Object.entries(ids)) assertId(key, id, field);
    return { kind, ...ids } as unknown as ParsedResource<Kind>;
  }
  const wanted = kinds.map((kind) => RESOURCE_PATTERNS[kind]).join(" or ");
  const what = `a name of ${name.length} characters in ${name.split("/").length} parts`;
  throw new DomainError("INVALID_ARGUMENT", `${field}: ${what} is not ${wanted}`, { details: { field } });
}

/** The ids by key when the collections agree, unchecked. */
function match(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (parts.length !== pattern.length) return undefined;
  const ids: Record<string, string> = {};
  for (const [i, word] of pattern.entries()) {
    if (word.startsWith("{")) ids[word.slice(1, -1)] = parts[i]!;
    else if (word !== parts[i]) return undefined;
  }
  return ids;
}

function assertId(key: string, id: string, field: string): void {
  if (key === "bag" ? BAG_ID_PATTERN.test(id) : isResourceId(id)) return;
  const pattern = (key === "bag" ? BAG_ID_PATTERN : RESOURCE_ID_PATTERN).source;
  const message = `${field}: the ${key} id of ${id.length} characters does not match ${pattern} or holds ".."`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field } });
}
