ALTER TABLE messages
MODIFY COLUMN digest UInt128 DEFAULT reinterpretAsUInt128(sipHash128(role, user_id, mentor_id, content, model))
COMMENT 'tells records of one message_id apart; a batch brings a hash of its own'
CODEC(NONE)
