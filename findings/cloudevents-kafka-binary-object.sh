#!/usr/bin/env bash
# CloudEvents' JavaScript SDK makes a Kafka message in binary mode whose value is the event's data itself: an object, where kafkajs
# sends only a string or a buffer. In structured mode the value is the text.
#
# Seen with cloudevents 10.0.0 and kafkajs 2.2.4.
# On it depends: the example publishes in structured mode (examples/typescript/publish.ts).
#
# Usage: cloudevents-kafka-binary-object.sh [VERSION of cloudevents]. Needs Node.js and npm.
set -eu
version=${1:-10.0.0}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund "cloudevents@$version" kafkajs@2.2.4 >/dev/null || cannot_try "the packages cannot be installed"

cat >try.cjs <<'JS'
const { CloudEvent, Kafka } = require("cloudevents");
// What kafkajs writes a message of a batch with.
const encode = require("kafkajs/src/protocol/recordBatch/record/v0");
const event = new CloudEvent({ id: "1", source: "/tutor", type: "example", data: { user_id: "ada" } });
for (const mode of ["binary", "structured"]) {
  const { value } = Kafka[mode](event);
  let sent = "written";
  try {
    encode({ offsetDelta: 0, timestampDelta: 0, key: null, value, headers: {} });
  } catch (error) {
    sent = `refused (${error.code ?? error.name})`;
  }
  console.log(`${mode}: ${typeof value}, ${sent}`);
}
JS
saw=$(node try.cjs) || cannot_try "the packages are made otherwise"
echo "expected: a string or a buffer in both modes"
printf 'saw:\n%s\n' "$saw"
case $saw in
"binary: object, refused"*"structured: string, written") ;;
*) exit 1 ;;
esac
