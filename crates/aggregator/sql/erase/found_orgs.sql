SELECT DISTINCT org FROM ${requests} WHERE of IN ('spoke', 'registered', 'left')
