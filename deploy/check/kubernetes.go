package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"knative.dev/pkg/apis"
	"knative.dev/serving/pkg/apis/config"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// The types that an overlay may hold: those of Kubernetes and of Knative Serving.
var decoder = func() runtime.Decoder {
	types := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(types))
	utilruntime.Must(servingv1.AddToScheme(types))
	return json.NewSerializerWithOptions(json.DefaultMetaFactory, types, types, json.SerializerOptions{Yaml: true, Strict: true})
}()

func checkOverlay(folder string, knative context.Context) (string, []string) {
	objects, problems := render(folder)
	for _, object := range objects {
		for _, problem := range problemsOf(object, knative) {
			problems = append(problems, nameOf(object)+": "+problem)
		}
	}
	problems = append(problems, problemsBetween(objects)...)
	return fmt.Sprintf("%d objects", len(objects)), problems
}

// Builds an overlay and decodes what came out.
func render(folder string) ([]runtime.Object, []string) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, []string{"kustomize: " + err.Error()}
	}
	var objects []runtime.Object
	var problems []string
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		object, _, err := decoder.Decode(text, nil, nil)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s %s: %v", resource.GetKind(), resource.GetName(), err))
			continue
		}
		objects = append(objects, object)
	}
	if len(objects) == 0 && len(problems) == 0 {
		problems = append(problems, "renders nothing")
	}
	return objects, problems
}

func problemsOf(object runtime.Object, knative context.Context) []string {
	var problems []string
	if service, is := object.(*servingv1.Service); is {
		problems = append(problems, knativeProblems(service, knative)...)
	}
	if pod, is := podOf(object); is {
		problems = append(problems, podProblems(pod)...)
	}
	return problems
}

// What Knative's admission would refuse.
func knativeProblems(service *servingv1.Service, ctx context.Context) []string {
	copied := service.DeepCopy()
	copied.SetDefaults(ctx)
	if err := copied.Validate(ctx); err != nil {
		return []string{"knative: " + err.Error()}
	}
	return nil
}

// Knative as its administrator is asked to configure it: features as they come, bounds from cluster/config-defaults.yaml.
func knativeContext(root string) (context.Context, error) {
	text, err := os.ReadFile(filepath.Join(root, "kubernetes", "cluster", "config-defaults.yaml"))
	if err != nil {
		return nil, err
	}
	object, _, err := decoder.Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	bounds, err := config.NewDefaultsConfigFromConfigMap(object.(*corev1.ConfigMap))
	if err != nil {
		return nil, err
	}
	features, err := config.NewFeaturesConfigFromMap(map[string]string{})
	if err != nil {
		return nil, err
	}
	ctx := apis.WithinCreate(context.Background())
	return config.ToContext(ctx, &config.Config{Defaults: bounds, Features: features}), nil
}
