package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Every rule must be able to fail: the real files with one thing wrong in each.

func TestTheFilesAsTheyArePass(t *testing.T) {
	for _, problem := range problemsWith(t, "", "", "") {
		t.Error(problem)
	}
}

func TestOneWrongThingIsFound(t *testing.T) {
	const base, compose = "kubernetes/base/", "compose/compose.yaml"
	cases := []struct{ file, old, new, wanted string }{
		{base + "gateway.yaml", "terminationGracePeriodSeconds", "terminationGraceSeconds", "unknown field"},
		{base + "gateway.yaml", "apiVersion: apps/v1", "apiVersion: apps/v2", "no kind \"Deployment\""},
		{base + "gateway.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "restricted: runAsNonRoot"},
		{base + "gateway.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "can be written"},
		{base + "gateway.yaml", "limits: { memory: 6Gi }", "limits: {}", "no memory limit"},
		{base + "gateway.yaml", "secretRef: { name: parfocal-store }", "secretRef: { names: x }", "unknown field"},
		{base + "gateway.yaml", "{ name: HOST, value: \"0.0.0.0\" }", "{ name: AWS_SECRET_ACCESS_KEY, value: x }", "stands in the manifest"},
		{base + "gateway.yaml", "{ name: HOST, value", "{ name: PORT, value", "container gateway: PORT is given twice"},
		{base + "aggregate.yaml", "{ name: HOST, value", "{ name: PARFOCAL_THREADS, value", "container aggregate: PARFOCAL_THREADS is given twice"},
		{base + "gateway.yaml", "mountPath: /tmp", "mountPath: /tmp, readonly: true", "unknown field"},
		{base + "gateway.yaml", "- { name: tmp, mountPath: /tmp }\n", "- { name: gone, mountPath: /tmp }\n", "mounts no volume gone"},
		{base + "gateway.yaml", "  selector: { app.kubernetes.io/name: gateway }\n  ports", "  selector: { app: x }\n  ports", "selects no pod"},
		{base + "aggregate.yaml", "drop: [ALL]", "drop: [NET_RAW]", "restricted: unrestricted capabilities"},
		{base + "aggregate.yaml", "containerConcurrency: 4", "containerConcurrency: -1", "knative: "},
		{base + "aggregate.yaml", "name: h2c", "name: grpc-web", "knative: "},
		{base + "aggregate.yaml", "timeoutSeconds: 86400", "timeoutSeconds: 90000", "knative: "},
		{base + "aggregate.yaml", "emptyDir: { sizeLimit: 10Gi }", "hostPath: { path: / }", "restricted: "},
		{base + "network-policies.yaml", "values: [reembed, aggregate, pretrain]", "values: [reembed, aggregate]", "Service pretrain: no network policy"},
		{base + "kustomization.yaml", "configurations: [name-references.yaml]", "", "Service reembed: its pods read ConfigMap parfocal-settings, which is not there"},
		{base + "pretrain.yaml", "configMapRef: { name: parfocal-settings }", "configMapRef: { name: parfocal-setting }", "read ConfigMap parfocal-setting,"},
		{base + "pretrain.yaml", "secretRef: { name: parfocal-store }", "secretRef: { name: parfocal-stores }", "read Secret parfocal-stores,"},
		{base + "gateway.yaml", "{ name: HOST, value: \"0.0.0.0\" }", "{ name: HOST, valueFrom: { configMapKeyRef: { name: hosts, key: x } } }", "read ConfigMap hosts,"},
		{base + "gateway.yaml", "{ name: HOST, value: \"0.0.0.0\" }", "{ name: HOST, valueFrom: { secretKeyRef: { name: hosts, key: x } } }", "read Secret hosts,"},
		{base + "gateway.yaml", "configMap: { name: parfocal-policy }", "configMap: { name: policy }", "read ConfigMap policy,"},
		{base + "gateway.yaml", "secretName: parfocal-gateway-tls", "secretName: gateway-tls", "read Secret gateway-tls,"},
		{base + "gateway.yaml", "configMap: { name: parfocal-policy }", "projected: { sources: [configMap: { name: policy }, secret: { name: key }] }", "read Secret key,"},
		{"kubernetes/components/temporal/kustomization.yaml", "- name: parfocal-workflows", "- name: workflows", "read ConfigMap parfocal-workflows,"},
		{base + "kustomization.yaml", "- gateway.yaml", "- gatway.yaml", "kustomize: "},
		{"kubernetes/components/cuda/kustomization.yaml", "containers/0/env/-", "containers/1/env/-", "kustomize: "},
		{compose, "read_only: true", "read_only: false", "no label parfocal.writable"},
		{compose, "cap_drop: [ALL]", "cap_drop: []", "keeps capabilities"},
		{compose, "127.0.0.1:50050:50050", "50050:50050", "to other machines"},
		{compose, "mem_limit: 6g", "memory_limit: 6g", "memory_limit"},
		{compose, "networks: [inside]\n    depends_on: [minio]", "networks: [insight]\n    depends_on: [minio]", "undefined network"},
		{compose, "gateway-tmp:/tmp", "gateway-temp:/tmp", "undefined volume"},
		{compose, "    depends_on: [minio]", "    depends_on: [store]", "undefined service"},
	}
	for _, each := range cases {
		t.Run(each.file+" "+each.new, func(t *testing.T) {
			problems := problemsWith(t, each.file, each.old, each.new)
			if !strings.Contains(strings.Join(problems, "\n"), each.wanted) {
				t.Errorf("found %q, not %q", problems, each.wanted)
			}
		})
	}
}

// The site's folder of README.md, over an overlay and over the base: every pod reads the site's settings.
func TestASiteOverridesSettingsOfEveryPod(t *testing.T) {
	const secrets = "secretGenerator:\n  - { name: parfocal-store, literals: [AWS_ACCESS_KEY_ID=x, AWS_SECRET_ACCESS_KEY=x] }\n"
	cases := []struct{ name, resource, more string }{
		{"over an overlay", "../cuda", ""},
		{"over several gateways", "../temporal", ""},
		{"over the base", "../../base", ""},
		{"with a secret of its own making", "../cuda", secrets},
		{"naming them in every way", "../cuda", secrets + everyWay},
	}
	for _, each := range cases {
		t.Run(each.name, func(t *testing.T) {
			root := copyOfDeploy(t)
			writeSite(t, filepath.Join(root, "kubernetes", "overlays", "site"), each.resource, each.more)
			objects := objectsOf(t, filepath.Join(root, "kubernetes", "overlays", "site"))
			for _, problem := range problemsBetween(objects) {
				t.Error(problem)
			}
			if stores := storesByPod(objects); !maps.Equal(stores, map[string]string{
				"gateway": siteStore, "reembed": siteStore, "aggregate": siteStore, "pretrain": siteStore,
			}) {
				t.Errorf("not every pod has the site's store: %v", stores)
			}
		})
	}
}

// Without the configuration a generated secret is not what the stages read, whoever may make one of that name by hand.
func TestAGeneratedSecretIsNotTheHandmadeOne(t *testing.T) {
	root := copyOfDeploy(t)
	replaceIn(t, filepath.Join(root, "kubernetes", "base", "kustomization.yaml"), "configurations: [name-references.yaml]", "")
	site := filepath.Join(root, "kubernetes", "overlays", "site")
	writeSite(t, site, "../cpu", "secretGenerator:\n  - { name: parfocal-store, literals: [AWS_ACCESS_KEY_ID=x] }\n")
	const wanted = "Service reembed: its pods read Secret parfocal-store, which is not there"
	if problems := problemsBetween(objectsOf(t, site)); !slices.Contains(problems, wanted) {
		t.Errorf("found %q, not %q", problems, wanted)
	}
}

const siteStore = "s3://pathology/parfocal"

// Adds to each stage all the other ways to read what is generated.
const everyWay = `patches:
  - target: { group: serving.knative.dev, kind: Service }
    patch: |
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value: { name: A, valueFrom: { configMapKeyRef: { name: parfocal-settings, key: PARFOCAL_STORE } } }
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value: { name: B, valueFrom: { secretKeyRef: { name: parfocal-store, key: AWS_ACCESS_KEY_ID } } }
      - op: add
        path: /spec/template/spec/volumes/-
        value: { name: c, configMap: { name: parfocal-policy } }
      - op: add
        path: /spec/template/spec/volumes/-
        value: { name: d, secret: { secretName: parfocal-store } }
      - op: add
        path: /spec/template/spec/volumes/-
        value: { name: e, projected: { sources: [configMap: { name: parfocal-policy }, secret: { name: parfocal-store }] } }
`

// The example of README.md as a folder, over another resource and with more in it.
func writeSite(t *testing.T, folder, resource, more string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	const over = "[parfocal/deploy/kubernetes/overlays/cuda]"
	if !strings.Contains(example, over) || !strings.Contains(example, siteStore) {
		t.Fatalf("the site's folder is not the first YAML of README.md: %q", example)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"kustomization.yaml": strings.ReplaceAll(example, over, "["+resource+"]") + more,
		"policy.yaml":        "grants: []\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func objectsOf(t *testing.T, folder string) []runtime.Object {
	t.Helper()
	objects, problems := render(folder)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return objects
}

// PARFOCAL_STORE of the ConfigMaps that each kind of pod reads, by the name of what makes the pods.
func storesByPod(objects []runtime.Object) map[string]string {
	settings := map[reference]string{}
	for _, object := range objects {
		if typed, is := object.(*corev1.ConfigMap); is && typed.Data["PARFOCAL_STORE"] != "" {
			settings[reference{"ConfigMap", typed.Namespace, typed.Name}] = typed.Data["PARFOCAL_STORE"]
		}
	}
	stores := map[string]string{}
	for _, object := range objects {
		for _, each := range referencesOf(object) {
			if store, is := settings[each]; is {
				_, name, _ := strings.Cut(nameOf(object), " ")
				stores[name] = store
			}
		}
	}
	return stores
}

// All problems of a copy of deploy/ in which `old` is replaced in one file.
func problemsWith(t *testing.T, file, old, new string) []string {
	t.Helper()
	root := copyOfDeploy(t)
	if file != "" {
		replaceIn(t, filepath.Join(root, file), old, new)
	}
	checks, err := findChecks(root)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, each := range checks {
		_, problems := each.run()
		all = append(all, problems...)
	}
	return all
}

func copyOfDeploy(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, folder := range []string{"kubernetes", "compose"} {
		if err := os.CopyFS(filepath.Join(root, folder), os.DirFS(filepath.Join("..", folder))); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func replaceIn(t *testing.T, path, old, new string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, new)), 0o600); err != nil {
		t.Fatal(err)
	}
}
