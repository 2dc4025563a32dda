#!/usr/bin/env bash
# A client that ogen makes reads a `date-time` with its milliseconds, and writes the same value as whole seconds: what is read and
# written again is another instant, without an error.
#
# Seen with ogen 1.25.0 and Go 1.26.8.
# On it depends: the test of that client reads the fields of its models, not what they write (tests/system/generated/go/ogen).
#
# Usage: ogen-whole-seconds.sh [VERSION of ogen]. Needs Go.
set -eu
version=${1:-v1.25.0}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'chmod -R u+w "$directory"; rm -rf "$directory"' EXIT
cd "$directory"
cat >description.json <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "moments", "version": "1"},
  "paths": {"/moment": {"get": {
    "operationId": "moment",
    "responses": {"200": {"description": "One.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Moment"}}}}}
  }}},
  "components": {"schemas": {"Moment": {
    "type": "object",
    "required": ["at"],
    "properties": {"at": {"type": "string", "format": "date-time"}}
  }}}
}
JSON
{
  go mod init example && go get -tool "github.com/ogen-go/ogen/cmd/ogen@$version" &&
    go tool ogen --target client --package client --clean description.json
} >log 2>&1 || {
  cat log >&2
  cannot_try "no client is made"
}
cat >main.go <<'GO'
package main

import (
	"fmt"

	"example/client"
)

func main() {
	var moment client.Moment
	if err := moment.UnmarshalJSON([]byte(`{"at":"2026-11-23T09:30:00.120Z"}`)); err != nil {
		panic(err)
	}
	written, err := moment.MarshalJSON()
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d ms, written %s\n", moment.At.UnixMilli()%1000, written)
}
GO
go mod tidy >log 2>&1 || cannot_try "the client's modules cannot be fetched"
saw=$(go run .) || cannot_try "the client is made otherwise"
echo 'expected: 120 ms, written {"at":"2026-11-23T09:30:00.12Z"}'
echo "saw: $saw"
[ "$saw" = '120 ms, written {"at":"2026-11-23T09:30:00Z"}' ]
