import { DomainError } from "@parfocal/errors";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { unusable } from "./reloaded-files.ts";
import { methodsOfRole } from "./roles.ts";

/** How much of a server one caller may take. */
export interface PrincipalLimits {
  /** Calls that may begin per second, on average. */
  readonly ratePerS: number;
  /** Calls that may begin at once after a pause. */
  readonly burst: number;
  /** Calls that may run at a time, streams included. */
  readonly concurrent: number;
}

/** What a caller may do with one method. */
export interface Access {
  /** Ids of projects, a trailing `*` standing for any rest; `["*"]`: every project. */
  readonly projects: readonly string[];
  /** Bounds that differ from the server's. */
  readonly limits?: Partial<PrincipalLimits>;
}

/** Who may call what, in which projects. */
export interface Policy {
  /** The access of a caller known under `identities` (`mtls:NAME`, `jwt:NAME`, `role:NAME`); `undefined`: none. */
  accessOf(identities: readonly string[], method: string): Access | undefined;
}

const METHOD = /^(?:\*|[A-Za-z0-9_.]{1,200}(?:\/[A-Za-z0-9_]{0,100})?\*?)$/;
const PROJECT = /^(?:\*|[a-z0-9][a-z0-9._-]{0,62}\*?)$/;

/** How a principal is named, e.g. `mtls:spiffe://hospital/gateway`. */
const IDENTITY = /^(?:mtls|jwt|role):[\x21-\x7e]{1,512}$/;

const limitsSchema = z.strictObject({
  ratePerS: z.number().positive().max(1e6).optional(),
  burst: z.number().int().min(1).max(1e6).optional(),
  concurrent: z.number().int().min(1).max(1e6).optional(),
});

const policySchema = z.strictObject({
  roles: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,62}$/), z.array(z.string().regex(METHOD)).min(1)).default({}),
  grants: z
    .array(
      z.strictObject({
        to: z.array(z.string().regex(IDENTITY, "expected mtls:NAME, jwt:NAME or role:NAME")).min(1),
        roles: z.array(z.string()).min(1),
        projects: z.array(z.string().regex(PROJECT, "expected the id of a project, a prefix and *, or *")).min(1),
        limits: limitsSchema.optional(),
      }),
    )
    .min(1),
});

type Grant = z.infer<typeof policySchema>["grants"][number];

/**
 * Reads a policy, YAML or JSON (docs/security.md shows one). Unknown fields and roles are errors: a policy with a slip in
 * it must not be a smaller or larger one than was meant.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the variable and the place in the file.
 */
export function policyFromText(env: string, text: string): Policy {
  const { roles, grants } = readPolicy(env, text);
  const rules = grants.map((grant) => ({
    identities: new Set(grant.to),
    methods: grant.roles.flatMap((role) => ownRole(roles, role) ?? methodsOfRole(role) ?? unknownRole(env, role)),
    access: accessFromGrant(grant),
  }));
  return {
    accessOf(identities, method) {
      const granted = rules.filter(
        (rule) => identities.some((identity) => rule.identities.has(identity)) && matchesAny(rule.methods, method),
      );
      if (granted.length === 0) return undefined;
      const limits = granted.find(({ access }) => access.limits !== undefined)?.access.limits;
      const projects = [...new Set(granted.flatMap(({ access }) => access.projects))];
      return { projects, ...(limits === undefined ? {} : { limits }) };
    },
  };
}

/** The methods of a role that the policy itself names; what every object has by birth is no role. */
function ownRole(roles: Readonly<Record<string, string[]>>, role: string): string[] | undefined {
  return Object.hasOwn(roles, role) ? roles[role] : undefined;
}

function readPolicy(env: string, text: string): z.infer<typeof policySchema> {
  let value: unknown;
  try {
    // No more aliases than a person writes: a few lines of them can unfold to gigabytes.
    value = parseYaml(text, { maxAliasCount: 20 });
  } catch (error) {
    throw unusable(env, error);
  }
  const parsed = policySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the whole"}: ${message}`);
  throw unusable(env, new Error(problems.join("; ")));
}

function accessFromGrant({ projects, limits = {} }: Grant): Access {
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  return { projects, ...(given.length === 0 ? {} : { limits: Object.fromEntries(given) }) };
}

function unknownRole(env: string, role: string): never {
  throw new DomainError("INVALID_ARGUMENT", `the file that ${env} names grants the role "${role}", which is none`);
}

/** Whether one of `patterns`, each a text or the beginning of one and `*`, matches. */
export function matchesAny(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith("*") ? text.startsWith(pattern.slice(0, -1)) : pattern === text));
}
