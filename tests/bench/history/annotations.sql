INSERT INTO ${into} (org, conversation_id, annotated_at, event_id, user_sentiment, topics, topic_keys)
WITH
    sipHash64('${org}', number) AS dice,
    if(dice % 20 = 0, ['one in twenty', concat('topic ', toString(dice % 30))], [concat('topic ', toString(dice % 30))]) AS names
SELECT
    '${org}',
    bitOr(bitShiftLeft(toUInt128(dice), 64), toUInt128(sipHash64(number))),
    toInt64(${start}) + intDiv(number, ${users}) * 86400000 + 86000000,
    toString(number),
    'neutral',
    names,
    names
FROM numbers_mt(${first}, ${conversations})
SETTINGS max_insert_threads = 2, min_insert_block_size_rows = 500000
