ALTER TABLE messages MODIFY SETTING min_compress_block_size = 8192
