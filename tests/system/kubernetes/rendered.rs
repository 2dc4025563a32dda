//! What would be applied to a cluster: rendered by kubectl or Helm, and parsed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::tempdir;

use crate::{
    harness::{ROLLCALL, root, succeeds},
    tools,
};

/// A directory whose `bin` has kubectl, and Python with Helm and the schemas of Kubernetes.
pub(super) fn kubernetes() -> PathBuf {
    let files = ["requirements.txt", "template.py", "validate.py"];
    tools::installed("kubernetes", &files, tools::install_python)
}

/// The objects of an installation.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) objects: Vec<Value>,
}

/// The objects that run containers, by the role of their pods.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workload<'a> {
    pub(super) role: &'a str,
    pub(super) object: &'a Value,
}

impl Rendered {
    /// A directory of `deploy/kubernetes`, by kubectl.
    pub(super) fn kustomize(directory: &str) -> Self {
        let path = root().join("deploy/kubernetes").join(directory);
        let args = ["kustomize", path.to_str().unwrap()];
        Self::parse(&tools::run("bin/kubectl", args, &kubernetes(), None))
    }

    /// The chart as the release `rollcall`, with the values of a file, by Helm.
    pub(super) fn helm(values: Option<&Path>) -> Self {
        let output = Self::helm_command(values).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        Self::parse(&output.stdout)
    }

    /// The command that renders the chart.
    pub(super) fn helm_command(values: Option<&Path>) -> Command {
        let mut command = tools::command("bin/python", &kubernetes());
        let chart = root().join("deploy/helm/rollcall");
        command.arg("template.py").arg(chart).args(values);
        command
    }

    pub(super) fn parse(yaml: &[u8]) -> Self {
        let objects = serde_saphyr::from_slice_multiple(yaml).unwrap();
        Self { objects }
    }

    /// The objects of a kind.
    pub(super) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// The object of a kind and a name.
    pub(super) fn object<'a>(&'a self, kind: &'a str, name: &str) -> &'a Value {
        self.of_kind(kind)
            .find(|object| object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// What runs containers.
    pub(super) fn workloads(&self) -> impl Iterator<Item = Workload<'_>> {
        self.objects.iter().filter_map(Workload::of)
    }

    /// What runs the containers of a role.
    pub(super) fn workload(&self, role: &str) -> Workload<'_> {
        self.workloads().find(|workload| workload.role == role).unwrap()
    }

    /// The `rollcall.toml` that a workload mounts.
    pub(super) fn settings(&self, workload: Workload<'_>) -> &str {
        let name = &workload.pod()["volumes"][0]["configMap"]["name"];
        let data = &self.object("ConfigMap", name.as_str().unwrap())["data"];
        assert_eq!(data.as_object().unwrap().len(), 1, "{data}");
        data["rollcall.toml"].as_str().unwrap()
    }

    /// The settings in effect, as `rollcall config` prints them.
    pub(super) fn effective(&self, workload: Workload<'_>) -> Settings {
        let dir = tempdir().unwrap();
        let file = dir.path().join("rollcall.toml");
        fs::write(&file, self.settings(workload)).unwrap();
        Settings::of(&file)
    }

    /// The objects by kind and name, without what kustomize and Helm each have for themselves: namespaces, hashes and hooks. A
    /// pod has the settings that it mounts instead of where they are.
    pub(super) fn comparable(&self) -> BTreeMap<String, Value> {
        let others = self.objects.iter().filter(|object| object["kind"] != "ConfigMap");
        others
            .map(|object| {
                let settings = Workload::of(object).map(|workload| self.effective(workload).values);
                let mut object = object.clone();
                for name in ["namespace", "annotations"] {
                    object["metadata"].as_object_mut().unwrap().remove(name);
                }
                if let Some(settings) = settings {
                    let template = &mut object["spec"]["template"];
                    template["metadata"]
                        .as_object_mut()
                        .unwrap()
                        .remove("annotations");
                    template["spec"]["volumes"][0]["configMap"] = settings;
                    let variables = &mut template["spec"]["containers"][0]["env"];
                    let variables = variables.as_array_mut().unwrap();
                    variables.sort_by_key(|variable| variable["name"].to_string());
                }
                (
                    format!("{} {}", object["kind"], object["metadata"]["name"]),
                    object,
                )
            })
            .collect()
    }
}

impl<'a> Workload<'a> {
    fn of(object: &'a Value) -> Option<Self> {
        let role = &object["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"];
        Some(Self {
            role: role.as_str()?,
            object,
        })
    }

    /// The labels of its pods.
    pub(super) fn labels(self) -> &'a Value {
        &self.object["spec"]["template"]["metadata"]["labels"]
    }

    pub(super) fn pod(self) -> &'a Value {
        &self.object["spec"]["template"]["spec"]
    }

    /// Its only container.
    pub(super) fn container(self) -> &'a Value {
        let pod = self.pod();
        assert_eq!(pod["containers"].as_array().unwrap().len(), 1, "{}", self.role);
        &pod["containers"][0]
    }

    /// The arguments of its container, with the settings in another directory.
    pub(super) fn args(self, settings: &Path) -> Vec<String> {
        let args = self.container()["args"].as_array().unwrap().iter();
        args.map(|arg| {
            let arg = arg.as_str().unwrap();
            arg.replace("/etc/rollcall", settings.to_str().unwrap())
        })
        .collect()
    }

    /// The variables of its container that are secret, each with its key, and whether it may be absent.
    pub(super) fn secrets(self) -> Vec<(&'a str, &'a str, bool)> {
        let variables = self.container()["env"].as_array().unwrap().iter();
        variables
            .map(|variable| {
                let reference = &variable["valueFrom"]["secretKeyRef"];
                assert_eq!(reference["name"], "rollcall", "{variable}");
                let text = |value: &'a Value| value.as_str().unwrap();
                (
                    text(&variable["name"]),
                    text(&reference["key"]),
                    reference["optional"] == true,
                )
            })
            .collect()
    }
}

/// Settings in effect.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) printed: String,
    values: Value,
}

impl Settings {
    /// Those of a file, if the program accepts all of it.
    fn of(file: &Path) -> Self {
        let mut command = Command::new(ROLLCALL);
        let printed = succeeds(command.args(["config", "--config"]).arg(file));
        let source = config::File::from_str(&printed, config::FileFormat::Toml);
        let settings = config::Config::builder().add_source(source).build().unwrap();
        let values = settings.try_deserialize().unwrap();
        Self { printed, values }
    }

    pub(super) fn text(&self, section: &str, name: &str) -> &str {
        self.values[section][name].as_str().unwrap()
    }

    pub(super) fn number(&self, section: &str, name: &str) -> u64 {
        self.values[section][name].as_u64().unwrap()
    }
}
