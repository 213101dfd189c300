import { AUDIT_FAILURE_POLICIES } from "../security/audit-log.ts";
import { TOKEN_ALGORITHMS } from "../security/token-verifier.ts";
import { choiceSetting, flagSetting, integerSetting, textSetting } from "./setting.ts";

const PATH = /^[^\0\n]{1,1024}$/;

/** A path that may be absent. */
function pathSetting(env: string, reason: string) {
  return textSetting({ env, fallback: "", pattern: PATH, expected: "a path", reason });
}

const algorithms = TOKEN_ALGORITHMS.join("|");

/** Encryption, and who calls. */
const identity = {
  tlsCert: pathSetting("PARFOCAL_TLS_CERT", "Certificate of the server with its chain, PEM; unset: plain text."),
  tlsKey: pathSetting("PARFOCAL_TLS_KEY", "Key of that certificate, PEM."),
  tlsClientCa: pathSetting(
    "PARFOCAL_TLS_CLIENT_CA",
    "CA of the clients, PEM; set: every connection must show a certificate of it, whose URI or DNS name is the caller.",
  ),
  tlsReloadMs: integerSetting({
    env: "PARFOCAL_TLS_RELOAD_MS",
    fallback: 10_000,
    min: 100,
    max: 86_400_000,
    unit: "ms",
    reason: "Pause between looks for renewed certificates, keys of tokens and policies.",
  }),
  jwtJwks: textSetting({
    env: "PARFOCAL_JWT_JWKS",
    fallback: "",
    pattern:
      /^(?:https:\/\/\S{1,1000}|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?\/\S*|(?!https?:)[^\0\n]{1,1024})$/,
    expected: "https://… or a path",
    reason: "Where the keys of bearer tokens are: a URL or a file; unset: no tokens are taken.",
  }),
  jwtIssuer: textSetting({
    env: "PARFOCAL_JWT_ISSUER",
    fallback: "",
    pattern: /^\S{1,1024}$/,
    expected: "an issuer",
    reason: "Issuer that a token must name.",
  }),
  jwtAudience: textSetting({
    env: "PARFOCAL_JWT_AUDIENCE",
    fallback: "",
    pattern: /^\S{1,1024}$/,
    expected: "an audience",
    reason: "Audience that a token must name, so that tokens for others are worth nothing here.",
  }),
  jwtAlgorithms: textSetting({
    env: "PARFOCAL_JWT_ALGORITHMS",
    fallback: "RS256,PS256,ES256,EdDSA",
    pattern: new RegExp(`^(?:${algorithms})(?:,(?:${algorithms}))*$`),
    expected: `a comma-separated list of ${TOKEN_ALGORITHMS.join(", ")}`,
    reason: "Signatures that a token may have; never none, and none that whoever checks could make.",
  }),
  jwtClockSkewS: integerSetting({
    env: "PARFOCAL_JWT_CLOCK_SKEW_S",
    fallback: 30,
    min: 0,
    max: 600,
    unit: "s",
    reason: "Difference between the issuer's clock and ours that is forgiven.",
  }),
  jwtRolesClaim: textSetting({
    env: "PARFOCAL_JWT_ROLES_CLAIM",
    fallback: "roles",
    pattern: /^[\w:/.-]{1,256}$/,
    expected: "the name of a claim",
    reason: "Claim that lists the caller's roles, `role:…` in the policy.",
  }),
  jwtCooldownMs: integerSetting({
    env: "PARFOCAL_JWT_COOLDOWN_MS",
    fallback: 30_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    reason: "Shortest pause between two looks for a key that is not known: made-up key ids must not flood the issuer.",
  }),
  policy: pathSetting(
    "PARFOCAL_POLICY",
    "Who may call what in which projects, YAML or JSON; needed with certificates of clients or tokens: nothing is allowed unless it says so.",
  ),
  probesAreOpen: flagSetting({
    env: "PARFOCAL_OPEN_PROBES",
    fallback: false,
    reason: "Whether health may be asked without saying who asks, for probes that cannot.",
  }),
};

/** What one caller may take, and what is kept of it. */
const accounting = {
  ratePerS: integerSetting({
    env: "PARFOCAL_RATE_PER_S",
    fallback: 2000,
    min: 1,
    max: 1_000_000,
    unit: "calls/s",
    reason: "Calls that one caller may begin per second on average; callers of this machine are not counted.",
  }),
  rateBurst: integerSetting({
    env: "PARFOCAL_RATE_BURST",
    fallback: 4000,
    min: 1,
    max: 1_000_000,
    unit: "calls",
    reason: "Calls that one caller may begin at once after a pause.",
  }),
  maxConcurrentPerCaller: integerSetting({
    env: "PARFOCAL_MAX_CONCURRENT_PER_CALLER",
    fallback: 512,
    min: 1,
    max: 1_000_000,
    unit: "calls",
    reason: "Calls of one caller at a time, streams included.",
  }),
  auditFile: pathSetting(
    "PARFOCAL_AUDIT_FILE",
    "File that gets one JSON line for every call, `/dev/stdout` included; unset: no records are kept.",
  ),
  auditOnFailure: choiceSetting({
    env: "PARFOCAL_AUDIT_ON_FAILURE",
    choices: AUDIT_FAILURE_POLICIES,
    fallback: "refuse",
    reason: "What becomes of calls while their records cannot be written.",
  }),
};

/** Who may call, and what is kept of it: settings of every service. */
export const securitySettings = { ...identity, ...accounting };
