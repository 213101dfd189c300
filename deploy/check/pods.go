package main

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// What an object makes pods from.
type podTemplate struct {
	meta metav1.ObjectMeta
	spec corev1.PodSpec
}

func podOf(object runtime.Object) (podTemplate, bool) {
	switch typed := object.(type) {
	case *appsv1.Deployment:
		return podTemplate{typed.Spec.Template.ObjectMeta, typed.Spec.Template.Spec}, true
	case *appsv1.StatefulSet:
		return podTemplate{typed.Spec.Template.ObjectMeta, typed.Spec.Template.Spec}, true
	case *batchv1.Job:
		return podTemplate{typed.Spec.Template.ObjectMeta, typed.Spec.Template.Spec}, true
	case *batchv1.CronJob:
		template := typed.Spec.JobTemplate.Spec.Template
		return podTemplate{template.ObjectMeta, template.Spec}, true
	case *servingv1.Service:
		template := typed.Spec.Template
		return podTemplate{template.ObjectMeta, template.Spec.PodSpec}, true
	}
	return podTemplate{}, false
}

func nameOf(object runtime.Object) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if accessor, err := meta.Accessor(object); err == nil {
		return kind + " " + accessor.GetName()
	}
	return kind
}

var podSecurity = func() policy.Evaluator {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		panic(err)
	}
	return evaluator
}()

var restricted = api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}

func podProblems(pod podTemplate) []string {
	var problems []string
	for _, result := range podSecurity.EvaluatePod(restricted, &pod.meta, &pod.spec) {
		if !result.Allowed {
			problems = append(problems, "restricted: "+result.ForbiddenReason+" ("+result.ForbiddenDetail+")")
		}
	}
	for _, container := range append(pod.spec.InitContainers, pod.spec.Containers...) {
		for _, problem := range containerProblems(container) {
			problems = append(problems, "container "+container.Name+": "+problem)
		}
	}
	return append(problems, volumeProblems(pod.spec)...)
}
