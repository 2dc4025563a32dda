DROP TABLE IF EXISTS
    activity_hourly_from_messages,
    activity_daily_from_hourly,
    activity_weekly_from_daily,
    activity_hourly,
    activity_daily,
    activity_weekly,
    users_from_messages,
    conversations_from_messages,
    conversation_days_from_messages
