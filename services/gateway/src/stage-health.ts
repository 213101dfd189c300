import { DomainError } from "@parfocal/errors";
import { grpcHealthV1 } from "@parfocal/protocol";
import {
  type ChannelToOptions,
  createReplicaClient,
  type ParentCall,
  type ReadinessCheck,
  type StageCallOptions,
} from "@parfocal/runtime";

/** Longest wait for one stage's answer. */
const TIMEOUT_MS = 2000;

/** Where the stages are, and which of them this gateway cannot do without. */
export interface StageAddresses {
  readonly aggregateAddress: string;
  readonly reembedAddress: string;
  readonly pretrainAddress: string;
  /** Names with commas between. */
  readonly requiredStages: string;
}

/** Asks stages whether they serve. */
export interface StageHealth {
  /** Whether those that predict say SERVING; one that does not answer in two seconds does not. */
  areServing(parent: ParentCall): Promise<boolean>;
  /** One for each required stage, for the gateway's own health. */
  readonly checks: readonly ReadinessCheck[];
  close(): void;
}

interface Stopping {
  readonly signal?: AbortSignal;
}

/** The stages that a prediction needs. */
const PREDICTING = ["aggregate", "reembed"];

/** The health of the stages, asked anew each time. Of several replicas of a stage one is enough. */
export function createStageHealth(config: StageAddresses, channel: ChannelToOptions = {}): StageHealth {
  const addresses = {
    aggregate: config.aggregateAddress,
    reembed: config.reembedAddress,
    pretrain: config.pretrainAddress,
  };
  const clients = new Map(
    Object.entries(addresses).map(([name, address]) => [
      name,
      createReplicaClient(grpcHealthV1.HealthDefinition, address, { channel, idempotentMethods: ["Check"] }),
    ]),
  );
  const { SERVING } = grpcHealthV1.HealthCheckResponse_ServingStatus;
  const isServing = async (name: string, options: StageCallOptions & Stopping): Promise<boolean> => {
    const answer = await clients.get(name)?.calls.check({ service: "" }, { ...options, timeoutMs: TIMEOUT_MS });
    return answer?.status === SERVING;
  };
  const required = config.requiredStages === "none" ? [] : config.requiredStages.split(",");
  return {
    async areServing(parent) {
      const answers = await Promise.all(PREDICTING.map((name) => isServing(name, { parent }).catch(() => false)));
      return answers.every(Boolean);
    },
    checks: required.map((name) => ({
      name: `stage ${name}`,
      async check(signal) {
        if (await isServing(name, { signal })) return;
        throw new DomainError("UNREACHABLE", `the stage ${name} says that it does not serve`);
      },
    })),
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}
