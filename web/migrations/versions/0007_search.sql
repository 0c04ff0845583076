-- Words of tags too: those that a person added are in no description.
CREATE INDEX photo_tags_words ON photo_tags USING gin (to_tsvector('english', tag));
--;;
-- The search index of an encoder: a table of codes with an HNSW index, made anew by each build and named here. Nothing
-- but a build writes it, so that embedding a photograph costs what it cost before.
CREATE TABLE search_indexes (
    encoder_id smallint PRIMARY KEY REFERENCES encoders ON DELETE CASCADE,
    codes      name NOT NULL,                  -- the table (photo_id, code): signs of the vector less the mean
    mean       halfvec NOT NULL,
    vectors    int NOT NULL,
    seconds    real NOT NULL,                  -- how long the build took
    built_at   timestamptz NOT NULL DEFAULT now()
);
--;;
-- Vectors that came or changed since: searched exactly until the next build. `stamp` tells a build whether a vector
-- changed while it ran.
CREATE SEQUENCE vector_stamps;
--;;
CREATE TABLE unindexed_vectors (
    encoder_id smallint NOT NULL,
    photo_id   bigint NOT NULL,
    stamp      bigint NOT NULL DEFAULT nextval('vector_stamps'),
    PRIMARY KEY (encoder_id, photo_id)
);
--;;
CREATE FUNCTION note_unindexed_vectors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unindexed_vectors AS u (encoder_id, photo_id)
    SELECT encoder_id, photo_id FROM fresh ORDER BY encoder_id, photo_id
    ON CONFLICT (encoder_id, photo_id) DO UPDATE SET stamp = nextval('vector_stamps');
    RETURN NULL;
END $$;
--;;
CREATE TRIGGER note_inserted_vectors AFTER INSERT ON embeddings
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_unindexed_vectors();
--;;
CREATE TRIGGER note_updated_vectors AFTER UPDATE ON embeddings
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_unindexed_vectors();
--;;
INSERT INTO unindexed_vectors (encoder_id, photo_id) SELECT encoder_id, photo_id FROM embeddings;
