"""Reads files with Apache Arrow's reader of Parquet and with Python's own reader of CSV.

Reads a JSON array of paths. Writes one JSON array: of each file the types of its columns, none of which CSV has, and its rows.
"""

import csv
import datetime
import json
import sys

import pyarrow.parquet


def plain(value):
    if isinstance(value, datetime.datetime):
        assert value.utcoffset() == datetime.timedelta(0), value
        return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def read(path):
    if path.endswith(".csv"):
        with open(path, encoding="utf-8", newline="") as file:
            return {"types": {}, "rows": list(csv.DictReader(file, strict=True))}
    table = pyarrow.parquet.read_table(path)
    rows = [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]
    return {"types": {field.name: str(field.type) for field in table.schema}, "rows": rows}


def main():
    csv.field_size_limit(1 << 30)
    json.dump([read(path) for path in json.load(sys.stdin)], sys.stdout)


main()
