package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// Our own rules of a container: nothing below / is written, memory is bounded, images say which they are,
// a variable has one value and no secret.
func containerProblems(container corev1.Container) []string {
	var problems []string
	security := container.SecurityContext
	if security == nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
		problems = append(problems, "its root file system can be written")
	}
	if container.Resources.Limits.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero() {
		problems = append(problems, "has no memory limit or no CPU request")
	}
	if tag := container.Image[strings.LastIndex(container.Image, "/")+1:]; !strings.Contains(tag, ":") && !strings.Contains(tag, "@") {
		problems = append(problems, "its image "+container.Image+" has no tag")
	}
	isGiven := map[string]bool{}
	for _, variable := range container.Env {
		if isGiven[variable.Name] {
			problems = append(problems, variable.Name+" is given twice")
		}
		isGiven[variable.Name] = true
		isSecret := strings.Contains(variable.Name, "SECRET") || strings.Contains(variable.Name, "PASSWORD")
		if isSecret && variable.Value != "" {
			problems = append(problems, variable.Name+" stands in the manifest")
		}
	}
	return problems
}

// Mounts and volumes by name, both ways.
func volumeProblems(spec corev1.PodSpec) []string {
	var problems []string
	isMounted := map[string]bool{}
	isVolume := map[string]bool{}
	for _, volume := range spec.Volumes {
		isVolume[volume.Name] = true
	}
	for _, container := range append(spec.InitContainers, spec.Containers...) {
		for _, mount := range container.VolumeMounts {
			isMounted[mount.Name] = true
			if !isVolume[mount.Name] {
				problems = append(problems, "container "+container.Name+" mounts no volume "+mount.Name)
			}
		}
	}
	for name := range isVolume {
		if !isMounted[name] {
			problems = append(problems, "volume "+name+" is mounted nowhere")
		}
	}
	return problems
}

// What only shows when the objects are seen together: policies and services that select nothing, pods under no policy,
// pods that read what is not there.
func problemsBetween(objects []runtime.Object) []string {
	var problems []string
	var policies []*networkingv1.NetworkPolicy
	for _, object := range objects {
		switch typed := object.(type) {
		case *networkingv1.NetworkPolicy:
			policies = append(policies, typed)
			if !selectsAny(objects, &typed.Spec.PodSelector) {
				problems = append(problems, nameOf(object)+" selects no pod")
			}
		case *corev1.Service:
			if len(typed.Spec.Selector) > 0 && !selectsAny(objects, &metav1.LabelSelector{MatchLabels: typed.Spec.Selector}) {
				problems = append(problems, nameOf(object)+" selects no pod")
			}
		}
	}
	for _, object := range objects {
		pod, is := podOf(object)
		if is && !isGoverned(pod, policies) {
			problems = append(problems, nameOf(object)+": no network policy says who may call it")
		}
	}
	return append(problems, referenceProblems(objects)...)
}

func selectsAny(objects []runtime.Object, selector *metav1.LabelSelector) bool {
	for _, object := range objects {
		if pod, is := podOf(object); is && selects(selector, pod) {
			return true
		}
	}
	return false
}

func isGoverned(pod podTemplate, policies []*networkingv1.NetworkPolicy) bool {
	for _, policy := range policies {
		isNamed := len(policy.Spec.PodSelector.MatchLabels)+len(policy.Spec.PodSelector.MatchExpressions) > 0
		if isNamed && len(policy.Spec.Ingress) > 0 && selects(&policy.Spec.PodSelector, pod) {
			return true
		}
	}
	return false
}

func selects(selector *metav1.LabelSelector, pod podTemplate) bool {
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		panic(fmt.Sprintf("a selector that decoded is none: %v", err))
	}
	return matcher.Matches(labels.Set(pod.meta.Labels))
}
