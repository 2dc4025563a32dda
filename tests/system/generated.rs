//! Clients that others' generators make of the description read from every answer what the oracle has: hours stay hours, and
//! counts are numbers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    clients::{Asked, Running, asked, compare, writes_days},
    oracle::{
        self,
        question::{Question, all_transcripts, days},
    },
    tools,
};

/// Where a client is made, within the directory that its generator was installed in.
struct Workshop {
    system: Running,
    dir: TempDir,
}

impl Workshop {
    /// Starts a system, and makes a directory with copies of files from `sources` and the description that the system serves.
    async fn open(sources: &str, files: &[&str], installed: &Path) -> Self {
        let system = Running::start().await;
        let dir = tempfile::tempdir_in(installed).unwrap();
        for file in files {
            let copy = dir.path().join(file);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(tools::sources(sources).join(file), copy).unwrap();
        }
        let url = system.process.ready.api_url.clone().unwrap() + "/openapi.json";
        let description = system.process.fetch(&url).await.bytes().await.unwrap();
        fs::write(dir.path().join("openapi.json"), description).unwrap();
        Self { system, dir }
    }

    /// Runs a program there.
    fn run(&self, program: impl AsRef<Path>, args: &[&str]) {
        tools::run(program.as_ref().to_str().unwrap(), args, self.dir.path(), None);
    }

    /// Has the client ask, and compares what its models hold with the oracle.
    fn compare(&self, program: impl AsRef<Path>, args: &[&str], can_ask: fn(&Question) -> bool) {
        let program = program.as_ref().to_str().unwrap();
        let client = |input: &Value| {
            let answers = tools::run(program, args, self.dir.path(), Some(input));
            let mut answers = serde_json::from_slice(&answers).unwrap();
            write_instants(&mut answers);
            answers.to_string().into_bytes()
        };
        let questions = self.system.questions(can_ask).into_iter();
        let questions: Vec<_> = questions.chain(more_questions(&self.system)).collect();
        compare(&self.system, client, &questions, |_| true);
    }
}

/// Questions of every grain, and for a page, which the questions of a world may lack.
fn more_questions(system: &Running) -> Vec<Asked> {
    let (org, world) = &system.worlds[0];
    let oracle = oracle::oracle(org, world);
    let range = days("2023-12-31", "2024-03-01");
    let grains = ["hour", "day", "week", "month"].map(Some);
    let usage = grains.map(|grain| Question::Usage { range, grain });
    let cohorts = grains.map(|grain| Question::Cohorts {
        range,
        grain,
        mentor: None,
        new_users_by: Some("activity"),
    });
    let mut questions: Vec<Asked> = [usage, cohorts]
        .concat()
        .into_iter()
        .map(|question| {
            let expected = question.expected(&oracle, org);
            (asked(org, &question), question, expected)
        })
        .collect();
    let all = all_transcripts();
    let (list, mut page) = (all.expected(&oracle, org), asked(org, &all));
    let list = list.as_array().unwrap();
    assert!(list.len() > 3, "{list:?}");
    page["parameters"] = json!({ "page": "2", "page_size": "2" });
    questions.push((page, all, list.iter().skip(2).take(2).cloned().collect()));
    questions
}

/// Writes the instants of models as the API does: each language has a form of its own for one and the same instant. The
/// `date` of a count is no instant but a text, which must be the very same.
fn write_instants(value: &mut Value) {
    let write = |text: &mut Value, form| {
        let instant: DateTime<Utc> = text.as_str().unwrap().parse().unwrap();
        *text = instant.to_rfc3339_opts(form, true).into();
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(write_instants),
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field) {
                    ("inserted_at", field) => write(field, SecondsFormat::Millis),
                    ("periods", Value::Array(periods)) => {
                        for period in periods {
                            write(period, SecondsFormat::AutoSi);
                        }
                    }
                    (_, field) => write_instants(field),
                }
            }
        }
        _ => (),
    }
}

/// A directory whose `bin` has Python with openapi-python-client, what its clients and OpenAPI Generator's need, and mypy.
fn python() -> PathBuf {
    tools::installed("generated/python", &["requirements.txt"], tools::install_python)
}

/// A directory with OpenAPI Generator in `generator`, and in `lib` what its clients in Java need.
fn java() -> PathBuf {
    tools::installed("generated/java", &["pom.xml"], |dir| {
        let copy = |options: &[&str]| {
            let copy = ["--quiet", "--batch-mode", "dependency:copy-dependencies"];
            tools::run("mvn", [&copy, options].concat(), dir, None);
        };
        copy(&["-DincludeScope=runtime", "-DoutputDirectory=lib"]);
        let generator = "-DincludeArtifactIds=openapi-generator-cli";
        copy(&[
            "-DincludeScope=provided",
            generator,
            "-DoutputDirectory=generator",
        ]);
    })
}

/// The arguments of Java that run OpenAPI Generator on the description, into `out`.
fn generate<'a>(generator: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    let program = ["-cp", generator, "org.openapitools.codegen.OpenAPIGenerator"];
    let command = ["generate", "-i", "openapi.json", "-o", "out"];
    [&program[..], &command, options].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_openapi_python_client_reads_what_the_oracle_has() {
    let installed = python();
    let bin = installed.join("bin");
    let workshop = Workshop::open("generated/python", &["ask.py", "config.yml"], &installed).await;
    let options = ["--meta", "none", "--config", "config.yml", "--fail-on-warning"];
    let generate = ["generate", "--path", "openapi.json", "--output-path", "client"];
    workshop.run(
        bin.join("openapi-python-client"),
        &[&generate[..], &options].concat(),
    );
    workshop.run(bin.join("mypy"), &["--strict", "client"]);
    workshop.run(bin.join("mypy"), &["ask.py"]);
    workshop.compare(bin.join("python"), &["ask.py"], |_| true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_openapi_generator_for_python_reads_what_the_oracle_has() {
    let installed = python();
    let (bin, generator) = (installed.join("bin"), java().join("generator/*"));
    let files = ["ask_openapi_generator.py"];
    let workshop = Workshop::open("generated/python", &files, &installed).await;
    let options = ["-g", "python", "--package-name", "client"];
    workshop.run("java", &generate(generator.to_str().unwrap(), &options));
    fs::rename(
        workshop.dir.path().join("out/client"),
        workshop.dir.path().join("client"),
    )
    .unwrap();
    workshop.run(bin.join("mypy"), &files);
    // It writes days with `strftime`.
    workshop.compare(bin.join("python"), &files, writes_days);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_types_of_openapi_typescript_hold_what_the_oracle_has() {
    let installed = tools::installed(
        "generated/typescript",
        &["package.json", "package-lock.json"],
        tools::install_node,
    );
    let bin = installed.join("node_modules/.bin");
    let files = ["ask.ts", "package.json", "tsconfig.json"];
    let workshop = Workshop::open("generated/typescript", &files, &installed).await;
    workshop.run(
        bin.join("openapi-typescript"),
        &["openapi.json", "-o", "client.d.ts"],
    );
    workshop.run(bin.join("tsc"), &[]);
    workshop.compare("node", &["ask.js"], |_| true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_openapi_generator_for_java_reads_what_the_oracle_has() {
    let installed = java();
    let generator = installed.join("generator/*");
    let workshop = Workshop::open("generated/java", &["Ask.java"], &installed).await;
    let options = ["-g", "java", "--library", "native"];
    workshop.run("java", &generate(generator.to_str().unwrap(), &options));
    let libraries = installed.join("lib/*");
    let libraries = libraries.to_str().unwrap();
    let sources = ["-sourcepath", "out/src/main/java", "Ask.java"];
    workshop.run(
        "javac",
        &[&["-nowarn", "-d", "classes", "-cp", libraries][..], &sources].concat(),
    );
    let classes = format!("classes:{libraries}");
    workshop.compare("java", &["-cp", &classes, "Ask"], |_| true);
}

/// A directory with the sources of the programs in Go, whose clients are not yet made.
async fn go() -> Workshop {
    let files = ["go.mod", "go.sum", "ask/ask.go", "oapi/main.go", "ogen/main.go"];
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let workshop = Workshop::open("generated/go", &files, place).await;
    for program in ["oapi", "ogen"] {
        fs::create_dir(workshop.dir.path().join(program).join("client")).unwrap();
    }
    workshop
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go 1.26, which CI has not"]
async fn the_client_of_oapi_codegen_reads_what_the_oracle_has() {
    let workshop = go().await;
    let options = ["-generate", "types,client", "-package", "client"];
    let files = ["-o", "oapi/client/client.go", "openapi.json"];
    workshop.run("go", &[&["tool", "oapi-codegen"][..], &options, &files].concat());
    workshop.run("go", &["vet", "./oapi/..."]);
    workshop.compare("go", &["run", "./oapi"], |_| true);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go 1.26, which CI has not"]
async fn the_client_of_ogen_reads_what_the_oracle_has() {
    let workshop = go().await;
    let options = ["-target", "ogen/client", "-package", "client", "openapi.json"];
    workshop.run("go", &[&["tool", "ogen"][..], &options].concat());
    workshop.run("go", &["vet", "./ogen/..."]);
    workshop.compare("go", &["run", "./ogen"], |_| true);
}
