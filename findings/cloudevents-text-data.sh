#!/usr/bin/env bash
# CloudEvents' Python SDK treats every `data` as JSON, whatever `datacontenttype` says: the text/plain body 1e3 of an
# event in binary mode is read as the number 1000.0 (and true as a boolean, but hello as bytes), and the text hello is
# sent with quotes. The JavaScript SDK keeps the text, so the two do not read each other's events.
#
# Seen with cloudevents 2.2.0 (its older interface, `cloudevents.v1`; the newer one, `cloudevents.core`, keeps the text)
# and 1.13.0 of Python, and cloudevents 10.0.0 of JavaScript.
# On it depends: in binary mode the value of a record must be a JSON object, whatever `content-type` comes with it
# (crates/events/src/decode/envelope.rs).
#
# Usage: cloudevents-text-data.sh [VERSION of Python's cloudevents]. Needs Python's venv and npm.
set -eu
version=${1:-2.2.0}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
python3 -m venv venv &&
  venv/bin/pip install --quiet --disable-pip-version-check "cloudevents==$version" &&
  npm install --silent --no-audit --no-fund cloudevents@10.0.0 || cannot_try "the packages cannot be installed"

cat >javascript.cjs <<'JAVASCRIPT'
// Makes a message of each text that is given, and a text of each message.
const { CloudEvent, HTTP } = require("cloudevents");
const attributes = { id: "1", source: "/a", type: "t", datacontenttype: "text/plain" };
const send = (data) => HTTP.binary(new CloudEvent({ ...attributes, data }));
const receive = (message) => HTTP.toEvent(message).data;
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(given.map((each) => (typeof each === "string" ? send(each) : receive(each)))));
JAVASCRIPT

cat >try.py <<'PYTHON'
import importlib.metadata
import json
import subprocess
import sys

try:
    from cloudevents.v1.conversion import to_binary
    from cloudevents.v1.http import CloudEvent, from_http
except ImportError:
    from cloudevents.conversion import to_binary
    from cloudevents.http import CloudEvent, from_http

TEXTS = ["hello", "1e3", "true", "007"]


def javascript(given):
    done = subprocess.run(
        ["node", "javascript.cjs"], input=json.dumps(given), capture_output=True, check=True, text=True, timeout=60
    )
    return json.loads(done.stdout)


def send(text):
    attributes = {"id": "1", "source": "/a", "type": "t", "datacontenttype": "text/plain"}
    headers, body = to_binary(CloudEvent(attributes, text))
    assert headers["content-type"] == "text/plain", headers
    return {"headers": headers, "body": body.decode()}


def receive(message):
    assert message["headers"]["content-type"] == "text/plain", message
    return from_http(message["headers"], message["body"].encode()).data


print(f"cloudevents {importlib.metadata.version('cloudevents')} of Python, 10.0.0 of JavaScript")
print(f"guess: either reads {TEXTS} where the other sent it as text/plain")
to_python = [receive(message) for message in javascript(TEXTS)]
to_javascript = javascript([send(text) for text in TEXTS])
print(f"seen:  JavaScript to Python {to_python}")
print(f"seen:  Python to JavaScript {to_javascript}")
same = javascript(javascript(TEXTS)) == TEXTS  # The JavaScript SDK reads its own.
same = same and [repr(data) for data in to_python] == ["b'hello'", "1000.0", "True", "b'007'"]
same = same and to_javascript == [f'"{text}"' for text in TEXTS]
print("still there" if same else "gone")
sys.exit(0 if same else 3)
PYTHON

# A trial that fails is not a change of the behaviour.
code=0
timeout 300 venv/bin/python try.py || code=$?
case $code in
  0) ;;
  3) exit 1 ;;
  *) cannot_try "the trial failed with code $code" ;;
esac
