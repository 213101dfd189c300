// Command check renders and checks everything of deploy/ that a cluster or a compose engine would read, without either.
//
//	go run . [folder of deploy]
//
// Kubernetes: the base and each overlay are built by kustomize itself; every object must decode strictly (no unknown or doubled field)
// as its type in the Kubernetes or Knative API; Knative Services must pass Knative's own validation; and every pod must
// meet the "restricted" Pod Security Standard, by Kubernetes' own checks, and a few rules of ours (rules.go, references.go).
// Compose: each combination of files must load by the loader that `docker compose` uses, with the schema's checks on.
//
// It prints a line for each and exits with status 1 when anything was found.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := ".."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	checks, err := findChecks(root)
	if err == nil && len(checks) == 0 {
		err = fmt.Errorf("nothing to check below %s", root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(1)
	}
	nFailed := 0
	for _, each := range checks {
		summary, problems := each.run()
		if len(problems) == 0 {
			fmt.Printf("ok    %s: %s\n", each.name, summary)
			continue
		}
		nFailed++
		for _, problem := range problems {
			fmt.Printf("FAIL  %s: %s\n", each.name, problem)
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(checks)-nFailed, nFailed)
	if nFailed > 0 {
		os.Exit(1)
	}
}

// A check gives what it looked at in a few words, and what is wrong with it.
type check struct {
	name string
	run  func() (string, []string)
}

func findChecks(root string) ([]check, error) {
	knative, err := knativeContext(root)
	if err != nil {
		return nil, err
	}
	overlays, err := filepath.Glob(filepath.Join(root, "kubernetes", "overlays", "*", "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	// The base by itself too: a patch silently drops the first of two variables of one name.
	files := append([]string{filepath.Join(root, "kubernetes", "base", "kustomization.yaml")}, overlays...)
	var checks []check
	for _, file := range files {
		folder := filepath.Dir(file)
		checks = append(checks, check{"kubernetes " + filepath.Base(folder), func() (string, []string) {
			return checkOverlay(folder, knative)
		}})
	}
	combinations, err := composeCombinations(filepath.Join(root, "compose"))
	if err != nil {
		return nil, err
	}
	for _, files := range combinations {
		checks = append(checks, check{"compose " + namesOf(files), func() (string, []string) {
			return checkCompose(files)
		}})
	}
	return checks, nil
}
