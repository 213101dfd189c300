package main

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
)

// Secrets that a site makes by hand (deploy/README.md), so that no overlay here renders them.
var secretsOfTheSite = []string{"parfocal-store", "parfocal-gateway-tls"}

// A ConfigMap or a Secret by name.
type reference struct{ kind, namespace, name string }

// Pods that read a ConfigMap or a Secret which is not there would never start.
func referenceProblems(objects []runtime.Object) []string {
	rendered := map[reference]bool{}
	for _, object := range objects {
		switch typed := object.(type) {
		case *corev1.ConfigMap:
			rendered[reference{"ConfigMap", typed.Namespace, typed.Name}] = true
		case *corev1.Secret:
			rendered[reference{"Secret", typed.Namespace, typed.Name}] = true
		}
	}
	var problems []string
	for _, object := range objects {
		for _, each := range referencesOf(object) {
			if !rendered[each] && !isOfTheSite(each, rendered) {
				problems = append(problems, fmt.Sprintf("%s: its pods read %s %s, which is not there", nameOf(object), each.kind, each.name))
			}
		}
	}
	return problems
}

// A secret of the site that the overlay does generate, its name then with a hash, is not made by hand as well.
func isOfTheSite(wanted reference, rendered map[reference]bool) bool {
	for each := range rendered {
		if each.kind == "Secret" && each.namespace == wanted.namespace && strings.HasPrefix(each.name, wanted.name+"-") {
			return false
		}
	}
	return wanted.kind == "Secret" && slices.Contains(secretsOfTheSite, wanted.name)
}

// What an object's pods cannot start without, each once.
func referencesOf(object runtime.Object) []reference {
	pod, is := podOf(object)
	accessor, err := meta.Accessor(object)
	if !is || err != nil {
		return nil
	}
	var found []reference
	add := func(kind, name string, isOptional *bool) {
		each := reference{kind, accessor.GetNamespace(), name}
		if (isOptional == nil || !*isOptional) && !slices.Contains(found, each) {
			found = append(found, each)
		}
	}
	for _, container := range slices.Concat(pod.spec.InitContainers, pod.spec.Containers) {
		for _, from := range container.EnvFrom {
			if from.ConfigMapRef != nil {
				add("ConfigMap", from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
			}
			if from.SecretRef != nil {
				add("Secret", from.SecretRef.Name, from.SecretRef.Optional)
			}
		}
		for _, variable := range container.Env {
			if variable.ValueFrom == nil {
				continue
			}
			if key := variable.ValueFrom.ConfigMapKeyRef; key != nil {
				add("ConfigMap", key.Name, key.Optional)
			}
			if key := variable.ValueFrom.SecretKeyRef; key != nil {
				add("Secret", key.Name, key.Optional)
			}
		}
	}
	for _, volume := range pod.spec.Volumes {
		if volume.ConfigMap != nil {
			add("ConfigMap", volume.ConfigMap.Name, volume.ConfigMap.Optional)
		}
		if volume.Secret != nil {
			add("Secret", volume.Secret.SecretName, volume.Secret.Optional)
		}
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.ConfigMap != nil {
				add("ConfigMap", source.ConfigMap.Name, source.ConfigMap.Optional)
			}
			if source.Secret != nil {
				add("Secret", source.Secret.Name, source.Secret.Optional)
			}
		}
	}
	return found
}
