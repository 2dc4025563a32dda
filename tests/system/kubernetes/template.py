"""Renders a chart as `helm template rollcall` does, with the values of a file: template.py CHART [VALUES]"""

import sys

import helm_python

path, *values_path = sys.argv[1:]
values = {}
if values_path:
    with open(values_path[0], encoding="utf-8") as file:
        values = helm_python.values_from_yaml(file.read())

with helm_python.Chart.load(path) as chart:
    manifests = chart.render(values, name="rollcall")

report = helm_python.lint(path, values, strict=True, kube_version="v1.30.0")
# Those of severity 1 are advice, such as to have an icon.
if report["errors"] or any(message["severity"] > 1 for message in report["messages"]):
    sys.exit(f"{report}")

for template, manifest in sorted(manifests.items()):
    print(f"---\n# {template}\n{manifest}")
