INSERT INTO erasure_keys (k0, k1)
SELECT rand64(0), rand64(1)
WHERE (SELECT count() FROM erasure_keys) = 0
