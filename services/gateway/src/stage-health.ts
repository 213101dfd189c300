import { grpcHealthV1 } from "@parfocal/protocol";
import { type ChannelToOptions, createStageClient, type ParentCall } from "@parfocal/runtime";

/** Longest wait for one stage's answer. */
const TIMEOUT_MS = 2000;

/** Asks stages whether they serve. */
export interface StageHealth {
  /** Whether all of them say SERVING; one that does not answer in two seconds does not. */
  areServing(parent: ParentCall): Promise<boolean>;
  close(): void;
}

/** The health of the stages at `addresses`, each with commas between its replicas, of which one that serves will do. Asked anew. */
export function createStageHealth(addresses: readonly string[], channel: ChannelToOptions = {}): StageHealth {
  const stages = addresses.map((replicas) =>
    replicas.split(",").map((address) => createStageClient(grpcHealthV1.HealthDefinition, address, { channel })),
  );
  const { SERVING } = grpcHealthV1.HealthCheckResponse_ServingStatus;
  return {
    async areServing(parent) {
      const answers = await Promise.all(
        stages.map((replicas) =>
          Promise.all(
            replicas.map(({ calls }) =>
              calls.check({ service: "" }, { parent, timeoutMs: TIMEOUT_MS }).catch(() => undefined),
            ),
          ),
        ),
      );
      return answers.every((replicas) => replicas.some((answer) => answer?.status === SERVING));
    },
    close() {
      for (const client of stages.flat()) client.close();
    },
  };
}
