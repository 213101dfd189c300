/** The import matrix of docs/architecture.md, as rules: which lib may import which. */
const allowed = {
  errors: [],
  tensor: ["errors"],
  metrics: ["errors"],
  store: ["errors"],
  engine: ["errors", "tensor", "store"],
  geometry: ["errors"],
  bags: ["errors", "store", "geometry"],
  models: ["errors", "tensor", "geometry"],
  training: ["errors", "tensor", "models", "metrics", "bags", "store", "engine", "geometry"],
  workflows: ["errors", "store"],
  tables: ["errors"],
  protocol: ["errors"],
  runtime: ["errors", "protocol", "store", "engine"],
  stage: ["errors", "protocol", "runtime", "store", "bags", "engine"],
};

const matrix = Object.entries(allowed).map(([lib, libs]) => ({
  name: `libs-${lib}`,
  comment: `libs/${lib} may import ${libs.length === 0 ? "no sibling" : libs.join(", ")}`,
  severity: "error",
  from: { path: `^libs/${lib}/src`, pathNot: "[.]test[.]ts$|/testing/" },
  to: { path: "^(libs|services|cli)/", pathNot: `^libs/(${[lib, ...libs].join("|")})/` },
}));

const onlyFrom = (name, modules, from) => ({
  name,
  comment: `only ${from} imports ${modules}`,
  severity: "error",
  from: { pathNot: `${from}|[.]test[.]ts$|^(test|bench)/|/bench/` },
  to: { path: `node_modules/(${modules})(/|$)` },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "services-are-strangers",
      severity: "error",
      from: { path: "^services/([^/]+)/" },
      to: { path: "^services/", pathNot: "^services/$1/" },
    },
    {
      name: "libs-never-import-services",
      severity: "error",
      from: { path: "^libs/" },
      to: { path: "^(services|cli)/" },
    },
    {
      name: "no-deep-imports",
      comment: "packages are imported through their exports",
      severity: "error",
      from: { path: "^(?:libs|services|cli)/([^/]+)/" },
      to: { path: "^libs/([^/]+)/src/(?!index[.]ts$)", pathNot: "^libs/$1/" },
    },
    onlyFrom("one-importer-of-onnxruntime", "onnxruntime-node", "^libs/(engine/src|tensor/src/testing)/"),
    onlyFrom("one-importer-of-the-aws-sdk", "@aws-sdk", "^libs/store/src/s3/"),
    onlyFrom("one-importer-of-temporal", "@temporalio", "^libs/workflows/src/temporal/"),
    onlyFrom("one-importer-of-tfjs", "@tensorflow", "^libs/(tensor|models|training)/src/"),
    ...matrix,
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)gen/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};
