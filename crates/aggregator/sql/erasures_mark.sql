-- The latest block of each table: an insert makes another, and a merge none.
-- The name of a part: partition, least block, greatest block, level.
SELECT sum(block) AS mark
FROM cluster('rollcall', view(
    SELECT max(toUInt64(splitByChar('_', _part)[3])) AS block
    FROM (SELECT DISTINCT _part FROM {db:Identifier}.erasures)
    UNION ALL
    SELECT max(toUInt64(splitByChar('_', _part)[3])) AS block
    FROM (SELECT DISTINCT _part FROM {db:Identifier}.erased_conversations)
))
