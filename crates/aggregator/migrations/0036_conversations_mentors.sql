ALTER TABLE conversations
    MODIFY COLUMN least_mentor SimpleAggregateFunction(min, LowCardinality(String)),
    MODIFY COLUMN greatest_mentor SimpleAggregateFunction(max, LowCardinality(String))
