package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
		{base + "gateway.yaml", "mountPath: /tmp", "mountPath: /tmp, readonly: true", "unknown field"},
		{base + "gateway.yaml", "- { name: tmp, mountPath: /tmp }\n", "- { name: gone, mountPath: /tmp }\n", "mounts no volume gone"},
		{base + "gateway.yaml", "  selector: { app.kubernetes.io/name: gateway }\n  ports", "  selector: { app: x }\n  ports", "selects no pod"},
		{base + "aggregate.yaml", "drop: [ALL]", "drop: [NET_RAW]", "restricted: unrestricted capabilities"},
		{base + "aggregate.yaml", "containerConcurrency: 4", "containerConcurrency: -1", "knative: "},
		{base + "aggregate.yaml", "name: h2c", "name: grpc-web", "knative: "},
		{base + "aggregate.yaml", "timeoutSeconds: 86400", "timeoutSeconds: 90000", "knative: "},
		{base + "aggregate.yaml", "emptyDir: { sizeLimit: 10Gi }", "hostPath: { path: / }", "restricted: "},
		{base + "network-policies.yaml", "values: [reembed, aggregate, pretrain]", "values: [reembed, aggregate]", "Service pretrain: no network policy"},
		{base + "kustomization.yaml", "- gateway.yaml", "- gatway.yaml", "kustomize: "},
		{"kubernetes/components/cuda/kustomization.yaml", "containers/0/env/-", "containers/1/env/-", "kustomize: "},
		{compose, "read_only: true", "read_only: false", "no label parfocal.writable"},
		{compose, "cap_drop: [ALL]", "cap_drop: []", "keeps capabilities"},
		{compose, "127.0.0.1:50050:50050", "50050:50050", "to other machines"},
		{compose, "mem_limit: 6g", "memory_limit: 6g", "memory_limit"},
		{compose, "networks: [inside]\n    depends_on: [minio]", "networks: [insight]\n    depends_on: [minio]", "undefined network"},
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

// All problems of a copy of deploy/ in which `old` is replaced in one file.
func problemsWith(t *testing.T, file, old, new string) []string {
	t.Helper()
	root := t.TempDir()
	for _, folder := range []string{"kubernetes", "compose"} {
		if err := os.CopyFS(filepath.Join(root, folder), os.DirFS(filepath.Join("..", folder))); err != nil {
			t.Fatal(err)
		}
	}
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
