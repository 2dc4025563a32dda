ALTER TABLE messages MODIFY SETTING merge_selector_base = 10
