SELECT max(readable_by) AS readable_by, max(writable_by) AS writable_by
FROM cluster('rollcall', view(SELECT readable_by, writable_by FROM {db:Identifier}.schema_versions))
