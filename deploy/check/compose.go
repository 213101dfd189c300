package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// The base file alone, and with each override: compose.yaml, compose.cuda.yaml, ...
func composeCombinations(folder string) ([][]string, error) {
	base := filepath.Join(folder, "compose.yaml")
	if _, err := os.Stat(base); err != nil {
		return nil, err
	}
	overrides, err := filepath.Glob(filepath.Join(folder, "compose.*.yaml"))
	if err != nil {
		return nil, err
	}
	combinations := [][]string{{base}}
	for _, override := range overrides {
		combinations = append(combinations, []string{base, override})
	}
	return append(combinations, append([]string{base}, overrides...)), nil
}

func namesOf(files []string) string {
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	return strings.Join(names, " + ")
}

func checkCompose(files []string) (string, []string) {
	options, err := cli.NewProjectOptions(files,
		cli.WithWorkingDirectory(filepath.Dir(files[0])),
		cli.WithEnvFiles(filepath.Join(filepath.Dir(files[0]), "example.env")),
		cli.WithDotEnv,
		cli.WithConsistency(true),
	)
	if err != nil {
		return "", []string{err.Error()}
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return "", []string{err.Error()}
	}
	var problems []string
	for _, service := range project.Services {
		for _, problem := range serviceProblems(service) {
			problems = append(problems, service.Name+": "+problem)
		}
	}
	return fmt.Sprintf("%d services", len(project.Services)), problems
}

// The rules of a pod, as far as compose knows them.
func serviceProblems(service types.ServiceConfig) []string {
	var problems []string
	if service.Labels["parfocal.writable"] == "" && !service.ReadOnly {
		problems = append(problems, "its root file system can be written, and no label parfocal.writable says why")
	}
	if !contains(service.CapDrop, "ALL") || !contains(service.SecurityOpt, "no-new-privileges:true") {
		problems = append(problems, "keeps capabilities or may gain privileges")
	}
	for _, port := range service.Ports {
		if port.HostIP != "127.0.0.1" {
			problems = append(problems, fmt.Sprintf("publishes port %d to other machines", port.Target))
		}
	}
	return problems
}

func contains(values []string, wanted string) bool {
	for _, value := range values {
		if value == wanted {
			return true
		}
	}
	return false
}
