-- One row of each shard, of one that has none too.
SELECT *
FROM cluster('rollcall', view(
    SELECT groupArray((version, name)) AS recorded
    FROM {db:Identifier}.schema_versions
))
