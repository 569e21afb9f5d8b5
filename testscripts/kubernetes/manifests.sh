#!/bin/sh
# manifests.sh: builds what lib/dist/kubernetes has, each component by itself and the
# overlays, and checks it strictly against the schemas of Kubernetes, KEDA and the
# Prometheus operator, which come as Go modules. With a directory as its argument it leaves
# there what it built, and the definitions of custom resources as crd-*.yaml.
set -eu
cd "$(dirname "$0")/../.."
KUSTOMIZE=sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
KUBECONFORM=github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/schemas" "$work/built"
GOBIN=$work go install "$KUSTOMIZE"
GOBIN=$work go install "$KUBECONFORM"

# module PATH@VERSION prints the directory that it is in.
module() { (cd "$work" && GOFLAGS=-mod=mod go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",/\1/p'; }

scaledobjects=$(module github.com/kedacore/keda/v2@v2.21.0)/config/crd/bases/keda.sh_scaledobjects.yaml
servicemonitors=$(module github.com/prometheus-operator/prometheus-operator@v0.85.0)/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml
ruby testscripts/kubernetes/schemas.rb "$(module k8s.io/kubernetes@v1.37.2)/api/openapi-spec/swagger.json" "$work/schemas" "$scaledobjects" "$servicemonitors"

for overlay in lib/dist/kubernetes/overlays/*/; do
	"$work/kustomize" build "$overlay" >"$work/built/overlay-$(basename "$overlay").yaml"
done
cp -r lib/dist/kubernetes "$work/"
for component in lib/dist/kubernetes/components/*/; do
	name=$(basename "$component")
	mkdir "$work/kubernetes/$name"
	printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: default\nresources: [../base]\ncomponents: [../components/%s]\nimages: [{name: app, newName: registry.example/shop, newTag: "1"}]\n' "$name" >"$work/kubernetes/$name/kustomization.yaml"
	"$work/kustomize" build "$work/kubernetes/$name" >"$work/built/component-$name.yaml"
done

conform() { "$work/kubeconform" -strict -summary -schema-location "$work/schemas/{{.Group}}_{{.ResourceKind}}_{{.ResourceAPIVersion}}.json" "$@"; }
conform "$work"/built/*.yaml
# The check can fail: on a field that there is not.
sed 's/^  replicas:/  replica:/' "$work/built/overlay-plain.yaml" >"$work/wrong.yaml"
! conform "$work/wrong.yaml" >"$work/said" 2>&1 || { echo "manifests.sh: an unknown field passed" >&2 && exit 1; }
if [ $# = 1 ]; then
	cp "$work"/built/*.yaml "$1/"
	cp "$scaledobjects" "$1/crd-scaledobjects.yaml"
	cp "$servicemonitors" "$1/crd-servicemonitors.yaml"
fi
