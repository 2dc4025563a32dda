SELECT sum(conversations)
FROM cluster('rollcall', view(SELECT count() AS conversations FROM (${given})))
