INSERT INTO database_ids (id)
SELECT generateUUIDv4()
WHERE (SELECT count() FROM database_ids) = 0
