#!/usr/bin/env bash
# The CORS layer of tower-http takes every OPTIONS for a browser's preflight: one without `Origin` and without
# `Access-Control-Request-Method` does not reach the service that is behind the layer, which would have answered with `Allow`.
#
# Seen with tower-http 0.6.11.
# On it depends: such a request is answered before the layer (crates/query/src/handlers.rs).
#
# Usage: tower-http-cors-options.sh [VERSION of tower-http]. Needs cargo.
set -eu
version=${1:-0.6.11}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
mkdir src
cat >Cargo.toml <<TOML
[package]
name = "trial"
edition = "2024"

[dependencies]
futures = "=0.3.34"
http = "=1.4.0"
tower = { version = "=0.5.3", features = ["util"] }
tower-http = { version = "=$version", features = ["cors"] }
TOML
cat >src/main.rs <<'RUST'
use std::{convert::Infallible, process::ExitCode};

use futures::executor::block_on;
use http::{Method, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;

/// The status and `Allow` of the answer to an OPTIONS with these headers.
fn ask(headers: &[(&str, &str)]) -> (u16, String) {
    let service = service_fn(async |_: Request<String>| {
        let answer = Response::builder().status(204).header("allow", "GET,OPTIONS");
        Ok::<_, Infallible>(answer.body(String::new()).unwrap())
    });
    let service = CorsLayer::permissive().layer(service);
    let mut request = Request::builder().method(Method::OPTIONS).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = block_on(service.oneshot(request.body(String::new()).unwrap())).unwrap();
    let allow = answer.headers().get("allow").map_or("", |allow| allow.to_str().unwrap());
    (answer.status().as_u16(), allow.to_owned())
}

fn main() -> ExitCode {
    let plain = ask(&[]);
    let preflight = ask(&[("origin", "https://app.example"), ("access-control-request-method", "GET")]);
    println!("expected: a preflight is answered by the layer, and a plain OPTIONS by the service: 204, GET,OPTIONS");
    println!("preflight: {preflight:?}");
    println!("plain:     {plain:?}");
    ExitCode::from(u8::from(plain != (200, String::new())))
}
RUST
cargo build --quiet || cannot_try "it does not build"
status=0
./target/debug/trial || status=$?
[ "$status" = 0 ] && echo "still so: the plain one is answered by the layer" || echo "gone"
exit "$status"
