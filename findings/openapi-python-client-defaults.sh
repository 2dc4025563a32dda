#!/usr/bin/env bash
# A client that openapi-python-client makes sends the `default` of each parameter that it is not given: to a server to which an
# absent parameter means something else than its default, that is another request.
#
# Seen with openapi-python-client 0.29.1.
# On it depends: page and page_size are described without a default (crates/query/src/params/kind.rs).
#
# Usage: openapi-python-client-defaults.sh [VERSION of openapi-python-client]. Needs Python's venv.
set -eu
version=${1:-0.29.1}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
python3 -m venv venv &&
  venv/bin/pip install --quiet --disable-pip-version-check "openapi-python-client==$version" || cannot_try "the package cannot be installed"

cat >description.json <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "list", "version": "1"},
  "paths": {"/list": {"get": {
    "operationId": "list",
    "tags": ["list"],
    "parameters": [
      {"name": "page", "in": "query", "required": false, "schema": {"type": "integer", "default": 1}},
      {"name": "size", "in": "query", "required": false, "schema": {"type": "integer"}}
    ],
    "responses": {"200": {"description": "A list.", "content": {"application/json": {"schema": {"type": "string"}}}}}
  }}}
}
JSON
echo 'post_hooks: []' >config.yml
venv/bin/openapi-python-client generate --path description.json --meta none --config config.yml --output-path client >/dev/null ||
  cannot_try "no client is made"

# This generated function makes the arguments of a request without sending it.
sent=$(venv/bin/python -c 'from client.api.list_.list_ import _get_kwargs; print(_get_kwargs()["params"])') ||
  cannot_try "the client is made otherwise"
echo "expected: {}, as no parameter is given"
echo "saw: $sent"
[ "$sent" = "{'page': 1}" ]
