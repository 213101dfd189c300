import { gatewayV1 } from "@parfocal/protocol";
import { openStore } from "@parfocal/store";
import { getContainerRuntimeClient, Network, type StartedNetwork } from "testcontainers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchResponse, readResult, startBatch } from "../lib/batches.ts";
import { plantCohort } from "../lib/cohort.ts";
import { describePretrainAndTrain } from "../lib/pretrain-and-train.ts";
import { PARENT, trainedModel, trainRequest } from "../lib/requests.ts";
import type { ServiceEnv } from "../lib/services.ts";
import { describeTrainAndPredict } from "../lib/train-and-predict.ts";
import { whyNoDocker } from "./docker.ts";
import { MINIO_ENDPOINT_INSIDE, startMinio } from "./minio.ts";
import type { S3Server } from "./s3-server.ts";
import {
  imageOf,
  SERVICE_NAMES,
  type ServiceContainers,
  type ServiceName,
  startServiceContainers,
  whyNoImages,
} from "./service-images.ts";

/** Metrics and records of calls, where a cluster collects them. */
const OBSERVED = { PARFOCAL_METRICS_PORT: "9464", PARFOCAL_AUDIT_FILE: "/dev/stdout" };

const reason = (await whyNoDocker()) ?? (await whyNoImages());
if (reason !== undefined) console.warn(`skipping the service images: ${reason}`);

describe.skipIf(reason !== undefined)("the service images", () => {
  let network: StartedNetwork;
  let server: S3Server;

  beforeAll(async () => {
    network = await new Network().start();
    server = await startMinio(network);
  });
  afterAll(async () => {
    await server?.stop();
    await network?.stop();
  });

  /** The store as this process reaches it. */
  const storeEnv = async () => ({
    PARFOCAL_STORE: `s3://${await server.createBucket()}/hospital`,
    PARFOCAL_S3_ENDPOINT: server.endpoint,
    AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
  });
  /** The services with the same store as containers reach it. */
  const start = (env: ServiceEnv) =>
    startServiceContainers(network, { ...env, PARFOCAL_S3_ENDPOINT: MINIO_ENDPOINT_INSIDE });

  describeTrainAndPredict("images", storeEnv, start);
  describePretrainAndTrain("images", storeEnv, start);

  describe("as containers", () => {
    let services: ServiceContainers;
    let bucket: string;
    beforeAll(async () => {
      const env = await storeEnv();
      bucket = new URL(env.PARFOCAL_STORE).hostname;
      services = await start({ ...env, PARFOCAL_IMPORT_ROOTS: `s3://${bucket}/incoming`, ...OBSERVED });
    });
    afterAll(async () => {
      await services?.close();
    });

    const run = async (service: ServiceName, command: string) => {
      const { stdout, exitCode } = await services.containers[service].exec(["/bin/sh", "-c", command]);
      return { exitCode, output: stdout.trim() };
    };

    it("import what lies in the store, train on it, and score a batch of it", async () => {
      const { clients } = services;
      const slides = plantCohort(24);
      const incoming = openStore(`s3://${bucket}/incoming`, server.storeOptions);
      for (const { fileName, bytes } of slides) await incoming.put(fileName, bytes);
      incoming.close();
      const uris = slides.map(({ fileName }) => `s3://${bucket}/incoming/${fileName}`);
      const done = await clients.operations.waitOperation(await clients.bags.importBags({ parent: PARENT, uris }));
      if (done.result?.$case !== "response") throw new Error(`not a response: ${JSON.stringify(done.result)}`);
      const { bags } = gatewayV1.ImportBagsResponse.decode(done.result.value.value);
      const names = bags.map(({ result }) => (result?.$case === "bag" ? result.value.name : JSON.stringify(result)));
      const request = trainRequest(slides, names, { epochs: 4 });
      const model = await trainedModel(clients, await clients.training.train(request));

      const manifest = `bag,patient_id\n${names.map((name, i) => `${name},${slides[i]?.patient}\n`).join("")}`;
      const operation = await startBatch(clients, manifest, { models: [model.name] });
      const response = await batchResponse(clients, operation);
      expect(response).toMatchObject({ rowCount: 24n, scoredCount: 24n, failedCount: 0n, patientCount: 12n });
      const rows = await readResult(clients, operation.name, "predictions.csv");
      const { prediction } = await clients.prediction.predict({ model: model.name, bag: names[5]! });
      expect(Number(rows[5]?.probability_tumour)).toBe(prediction?.probabilities[1]?.probability);
    });

    it("tell a model which revision made it, and keep records of calls on standard output", async () => {
      const store = openStore(`s3://${bucket}/hospital`, server.storeOptions);
      const { model } = await services.clients.models.getModel({ name: `${PARENT}/models/tumour` });
      const manifest = Buffer.from((await store.get(`${model?.name}/manifest.json`)).bytes).toString();
      store.close();
      const { container } = await getContainerRuntimeClient();
      const { Config } = await container.dockerode.getImage(imageOf("aggregate")).inspect();
      expect(manifest).toContain(`"code": "${Config.Labels["org.opencontainers.image.revision"]}"`);
      const log = await container.getById(services.containers.gateway.getId()).logs({ stdout: true });
      expect(log.toString()).toContain('"method":"parfocal.gateway.v1.TrainingService/Train"');
    });

    it.each(SERVICE_NAMES)("%s tells its metrics and its readiness over HTTP", async (service) => {
      const read = (path: string) =>
        run(
          service,
          `node -e 'fetch("http://127.0.0.1:9464/${path}").then(async (r) => console.log(r.status, await r.text()))'`,
        );
      expect((await read("readyz")).output).toMatch(/^200/);
      expect((await read("livez")).output).toMatch(/^200/);
      expect((await read("metrics")).output).toContain("parfocal_");
    });

    it("gateway holds the workflow of Temporal's workers, which need no folder to run programs from", async () => {
      const { output } = await run("gateway", "wc -c < libs/workflows/src/temporal/operation-workflow.bundle.js");
      expect(Number(output)).toBeGreaterThan(100_000);
      expect((await run("gateway", "grep ' /tmp ' /proc/mounts")).output).toContain("noexec");
    });

    it.each(SERVICE_NAMES)("%s runs as nobody in particular, without capabilities", async (service) => {
      expect(await run(service, "id -u; id -g")).toMatchObject({ output: "10001\n10001" });
      const { output } = await run(service, "cat /proc/1/status");
      expect(output).toMatch(/^CapEff:\s+0+$/m);
      expect(output).toMatch(/^NoNewPrivs:\s+1$/m);
    });

    it.each(SERVICE_NAMES)("%s can write to TMPDIR alone", async (service) => {
      expect(await run(service, "touch /tmp/written && rm /tmp/written")).toMatchObject({ exitCode: 0 });
      for (const path of ["/app/x", "/app/node_modules/x", "/x", "/var/tmp/x", "/etc/x"]) {
        expect((await run(service, `touch ${path}`)).exitCode, path).not.toBe(0);
      }
    });

    it.each(SERVICE_NAMES)("%s holds what it needs and no tools of development", async (service) => {
      const { output } = await run(service, "ls node_modules node_modules/@types services 2>/dev/null");
      const names = output.split("\n");
      for (const tool of ["typescript", "vitest", "testcontainers", "eslint", "npm"]) expect(names).not.toContain(tool);
      expect(names.filter((name) => SERVICE_NAMES.some((each) => each === name))).toEqual([service]);
      expect(names.includes("onnxruntime-node")).toBe(service !== "gateway");
      expect((await run(service, "find libs services -name '*.test.ts' | wc -l")).output).toBe("0");
      expect((await run(service, "command -v npm")).exitCode).not.toBe(0);
    });

    it.each(SERVICE_NAMES)("%s is healthy by its own probe, which says why it is not", async (service) => {
      expect(await run(service, "node deploy/health-probe.ts")).toEqual({ exitCode: 0, output: "" });
      const { exitCode } = await run(service, "node deploy/health-probe.ts 127.0.0.1:9");
      expect(exitCode).toBe(1);
    });

    it.each(SERVICE_NAMES)("%s says what it is by labels, and which settings it starts with", async (service) => {
      const { container } = await getContainerRuntimeClient();
      const { Config } = await container.dockerode.getImage(imageOf(service)).inspect();
      const label = (name: string) => Config.Labels[`org.opencontainers.image.${name}`];
      expect(label("title")).toBe(`parfocal-${service}`);
      expect(label("licenses")).toBe("Apache-2.0");
      expect(label("version")).toMatch(/^\d+\.\d+\.\d+$/);
      expect(label("revision")).toMatch(/^(?:[0-9a-f]{40}\+?|unknown)$/);
      expect(Config.User).toBe("10001:10001");
      // Listening beyond loopback is the choice of whoever runs it.
      expect(Config.Env.filter((line) => /^(?:HOST|PARFOCAL_ALLOW_REMOTE|AWS_)/.test(line))).toEqual([]);
    });

    it("become healthy, and end in good order on SIGTERM", async () => {
      const { container } = await getContainerRuntimeClient();
      for (const service of [...SERVICE_NAMES]) {
        const handle = container.getById(services.containers[service].getId());
        while ((await handle.inspect()).State.Health?.Status === "starting") {
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
        expect((await handle.inspect()).State.Health?.Status).toBe("healthy");
        await handle.stop();
        const { State } = await handle.inspect();
        expect(State).toMatchObject({ ExitCode: 0, OOMKilled: false });
        const log = (await handle.logs({ stdout: true, stderr: true })).toString();
        expect(log).toContain('"event":"stopped"');
      }
    });
  });
});
