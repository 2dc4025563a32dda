"""Fails unless the schemas accept every object of a list in JSON, which is read from standard input."""

import json
import sys

import kubernetes_validate
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator

# The oldest release that the objects are for, and the newest that there are schemas of.
RELEASES = ["1.30", "1.37"]
# Schemas of what is no part of Kubernetes.
CUSTOM = {"keda.sh/v1alpha1": keda, "monitoring.coreos.com/v1": prometheus_operator}


def validate(resource):
    if custom := CUSTOM.get(resource["apiVersion"]):
        model = getattr(custom, resource["kind"]).model_validate(resource)
        # A field that the schema has not is not in what is read.
        read = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert read == resource, f"{read} is read of {resource}"
    else:
        for release in RELEASES:
            kubernetes_validate.validate(resource, release, strict=True)


resources = json.load(sys.stdin)
assert resources
for resource in resources:
    validate(resource)
