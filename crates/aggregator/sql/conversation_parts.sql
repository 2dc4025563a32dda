SELECT *
FROM cluster('rollcall', view(
    ${parts}
))
SETTINGS
    -- Each conversation is in another granule: both cores read, however few the rows.
    merge_tree_min_rows_for_concurrent_read = 1024
