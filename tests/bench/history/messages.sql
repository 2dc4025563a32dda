INSERT INTO ${into} (org, conversation_id, time, message_id, role, user_id, mentor_id, content, model)
WITH
    intDiv(number, ${messages}) AS conversation,
    number % ${messages} + ${first_message} AS message,
    intDiv(conversation, ${users}) AS day,
    sipHash64('${org}', conversation) AS dice,
    sipHash64(dice, message) AS message_dice,
    conversation % ${users} * intDiv(${population}, ${users}) + dice % intDiv(${population}, ${users}) AS user
SELECT
    '${org}',
    bitOr(bitShiftLeft(toUInt128(dice), 64), toUInt128(sipHash64(conversation))),
    fromUnixTimestamp64Milli(toInt64(${start} + day * 86400000 + if(message < 2, dice, message_dice) % 86000000 + message), 'UTC'),
    bitOr(bitShiftLeft(toUInt128(message_dice), 64), toUInt128(sipHash64(message_dice))),
    if(message % 2 = 0, 'user', 'assistant'),
    concat('user-', toString(user)),
    concat('mentor-', toString(dice % 50)),
    concat('How do I read table ', toString(message_dice % 1000000), ', and what does column ', toString(message_dice % 7), ' mean?'),
    if(message % 2 = 0, '', 'sage-3')
FROM numbers_mt(${offset}, ${rows})
SETTINGS max_insert_threads = 2, min_insert_block_size_rows = 2000000, min_insert_block_size_bytes = 0, max_block_size = 250000
