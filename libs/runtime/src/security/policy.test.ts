import { readFileSync } from "node:fs";
import { gatewayV1, googleLongrunning, inferenceV2 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { matchesAny, policyFromText } from "./policy.ts";
import { BUILT_IN_ROLES, methodsOfRole } from "./roles.ts";

const POLICY = `
roles:
  importer: [parfocal.gateway.v1.BagService/*]
grants:
  - to: [role:pathologist, "jwt:alice@hospital.example"]
    roles: [predictor]
    projects: [lung, breast-*]
    limits: { ratePerS: 5, burst: 10 }
  - to: ["jwt:alice@hospital.example"]
    roles: [importer]
    projects: [sandbox]
  - to: ["mtls:spiffe://hospital.example/gateway"]
    roles: [stage-caller]
    projects: ["*"]
`;

const PREDICT = "parfocal.gateway.v1.PredictionService/Predict";
const DELETE_BAG = "parfocal.gateway.v1.BagService/DeleteBag";

describe("a policy", () => {
  const policy = policyFromText("POLICY", POLICY);

  it("grants what it says, to whom it says, in the projects it says", () => {
    expect(policy.accessOf(["jwt:bob", "role:pathologist"], PREDICT)).toEqual({
      projects: ["lung", "breast-*"],
      limits: { ratePerS: 5, burst: 10 },
    });
    expect(
      policy.accessOf(["mtls:spiffe://hospital.example/gateway"], "parfocal.aggregate.v1.AggregateService/Train"),
    ).toEqual({
      projects: ["*"],
    });
  });

  it("joins grants by method, not by caller: a role in one project is none in another", () => {
    const alice = ["jwt:alice@hospital.example"];
    expect(policy.accessOf(alice, DELETE_BAG)?.projects).toEqual(["sandbox"]);
    expect(policy.accessOf(alice, PREDICT)?.projects).toEqual(["lung", "breast-*"]);
    expect(policy.accessOf(alice, "parfocal.gateway.v1.BagService/GetBag")?.projects).toEqual([
      "lung",
      "breast-*",
      "sandbox",
    ]);
  });

  it.each([
    ["nobody it names", ["jwt:mallory"], PREDICT],
    ["the same name known in another way", ["mtls:alice@hospital.example"], PREDICT],
    ["a method of no role", ["role:pathologist"], DELETE_BAG],
    ["a method that there is not yet", ["role:pathologist"], "parfocal.gateway.v1.SlideService/GetSlide"],
    ["a stage's method to people", ["role:pathologist"], "parfocal.aggregate.v1.AggregateService/Train"],
  ])("denies %s", (_, identities, method) => {
    expect(policy.accessOf(identities, method)).toBeUndefined();
  });

  it.each([
    ["a slip in a field", "grants: [{ to: [jwt:a], role: [viewer], projects: ['*'] }]", /grants\.0/],
    ["an unknown role", "grants: [{ to: [jwt:a], roles: [viewr], projects: ['*'] }]", /"viewr"/],
    ["what every object has", "grants: [{ to: [jwt:a], roles: [constructor], projects: ['*'] }]", /"constructor"/],
    ["an identity of no kind", "grants: [{ to: [alice], roles: [viewer], projects: ['*'] }]", /mtls:NAME/],
    ["a star in the middle", "grants: [{ to: [jwt:a], roles: [viewer], projects: ['a*b'] }]", /projects/],
    ["no grants", "grants: []", /grants/],
    ["no YAML", "grants: [", /POLICY/],
    ["a billion laughs", bomb(), /POLICY/],
  ])("refuses %s", (_, text, message) => {
    expect(() => policyFromText("POLICY", text)).toThrow(message);
  });

  it("reads the one that the documentation shows", () => {
    const page = readFileSync(new URL("../../../../docs/security.md", import.meta.url), "utf8");
    const example = policyFromText("POLICY", /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "");
    expect(example.accessOf(["role:pathologist"], PREDICT)).toEqual({
      projects: ["lung", "breast-*"],
      limits: { ratePerS: 20, burst: 40, concurrent: 8 },
    });
  });

  it("reads JSON too", () => {
    const json = JSON.stringify({ grants: [{ to: ["jwt:a"], roles: ["viewer"], projects: ["p"] }] });
    expect(policyFromText("POLICY", json).accessOf(["jwt:a"], "google.longrunning.Operations/GetOperation")).toEqual({
      projects: ["p"],
    });
  });

  it("has a role beside admin for every method of the gateway that deletes nothing", () => {
    const services = [
      ...Object.values(gatewayV1),
      googleLongrunning.OperationsDefinition,
      inferenceV2.GRPCInferenceServiceDefinition,
    ];
    const methods = services.flatMap((service) =>
      typeof service === "object" && "methods" in service
        ? Object.values(service.methods).map(({ name }) => `${service.fullName}/${name}`)
        : [],
    );
    const isHeld = (method: string) => matchesAny(methodsOfRole("trainer")!, method);
    expect(methods.length).toBeGreaterThan(20);
    expect(methods.filter((method) => !isHeld(method) && !method.includes("/Delete"))).toEqual([]);
  });

  it("has no built-in role but admin that may delete or reach a stage as a person", () => {
    for (const role of Object.keys(BUILT_IN_ROLES).filter((name) => name !== "admin")) {
      expect(methodsOfRole(role)!.filter((method) => method.includes("Delete") || method === "*")).toEqual([]);
    }
    expect(methodsOfRole("toString")).toBeUndefined();
  });
});

function bomb(): string {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(",")}]`);
  return `l0: &l0 [x,x,x]\n${levels.join("\n")}\ngrants: []`;
}
