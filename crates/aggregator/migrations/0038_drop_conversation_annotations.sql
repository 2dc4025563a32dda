DROP TABLE IF EXISTS conversation_annotations
