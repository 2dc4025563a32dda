"""Queries the embedded engine with ClickHouse's two Python drivers.

Reads one JSON object: the ready file, and a statement. Writes one JSON array: what the driver over HTTP and the driver over
the native protocol returned.
"""

import json
import sys
import urllib.parse

import clickhouse_connect
from clickhouse_driver import Client


def main():
    request = json.load(sys.stdin)
    ready, statement = request["ready"], request["statement"]
    login = (ready["clickhouse_user"], ready["clickhouse_password"])
    http = urllib.parse.urlsplit(ready["clickhouse_url"])
    over_http = clickhouse_connect.get_client(
        host=http.hostname, port=http.port, username=login[0], password=login[1]
    )
    native = urllib.parse.urlsplit("//" + ready["clickhouse_native"])
    over_native = Client(native.hostname, port=native.port, user=login[0], password=login[1])
    json.dump([over_http.query(statement).result_rows, over_native.execute(statement)], sys.stdout)


main()
