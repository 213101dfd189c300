import { choiceSetting, flagSetting, integerSetting, textSetting } from "@parfocal/runtime";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** A path that may be absent. */
function pathSetting(env: string, reason: string) {
  return textSetting({ env, fallback: "", pattern: /^[^\0\n]{1,1024}$/, expected: "a path", reason });
}

/** What runs the operations, and how to reach it: settings of the gateway. */
export const workflowSettings = {
  workflows: choiceSetting({
    env: "PARFOCAL_WORKFLOWS",
    choices: ["embedded", "temporal"],
    fallback: "embedded",
    reason:
      "What runs the operations: this gateway alone, or a Temporal cluster with any number of gateways and workers.",
  }),
  temporalAddress: textSetting({
    env: "PARFOCAL_TEMPORAL_ADDRESS",
    fallback: "127.0.0.1:7233",
    pattern: /^[a-z0-9.[\]:-]{1,253}:\d{1,5}$/i,
    expected: "host:port",
    reason: "Frontend of the Temporal cluster.",
  }),
  temporalNamespace: textSetting({
    env: "PARFOCAL_TEMPORAL_NAMESPACE",
    fallback: "default",
    pattern: NAME,
    expected: "a name of letters, digits, dots, dashes",
    reason: "Namespace of the operations in the cluster; it must exist.",
  }),
  temporalTaskQueue: textSetting({
    env: "PARFOCAL_TEMPORAL_TASK_QUEUE",
    fallback: "parfocal",
    pattern: NAME,
    expected: "a name of letters, digits, dots, dashes",
    reason: "Queue between gateways and workers: one for each store, as a worker only finds what lies in its own.",
  }),
  temporalRole: choiceSetting({
    env: "PARFOCAL_TEMPORAL_ROLE",
    choices: ["both", "client", "worker"],
    fallback: "both",
    reason: "Whether this process serves callers and runs steps, or only the one or the other.",
  }),
  temporalMaxSteps: integerSetting({
    env: "PARFOCAL_TEMPORAL_MAX_STEPS",
    fallback: 16,
    min: 1,
    max: 1000,
    unit: "steps",
    reason: "Steps that this process runs at a time; most of their time they wait for a stage.",
  }),
  temporalLostAfterMs: integerSetting({
    env: "PARFOCAL_TEMPORAL_LOST_AFTER_MS",
    fallback: 10_000,
    min: 1_000,
    max: 3_600_000,
    unit: "ms",
    reason: "Silence after which a worker counts as dead and its steps go to another.",
  }),
  temporalTls: flagSetting({
    env: "PARFOCAL_TEMPORAL_TLS",
    fallback: false,
    reason: "Whether the connection to the cluster is encrypted; a certificate or CA below turns it on too.",
  }),
  temporalTlsCa: pathSetting("PARFOCAL_TEMPORAL_TLS_CA", "CA of the cluster, PEM; unset: what the system trusts."),
  temporalTlsCert: pathSetting("PARFOCAL_TEMPORAL_TLS_CERT", "Our certificate for the cluster with its chain, PEM."),
  temporalTlsKey: pathSetting("PARFOCAL_TEMPORAL_TLS_KEY", "Key of that certificate, PEM."),
  temporalTlsServerName: textSetting({
    env: "PARFOCAL_TEMPORAL_TLS_SERVER_NAME",
    fallback: "",
    pattern: /^[a-z0-9.-]{1,253}$/i,
    expected: "a host name",
    reason: "Name in the cluster's certificate where it is not the host of the address.",
  }),
};
