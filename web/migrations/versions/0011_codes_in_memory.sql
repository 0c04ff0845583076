-- Codes are scanned in memory: no graph is walked over them any more.
DO $$
DECLARE graph regclass;
BEGIN
    FOR graph IN
        SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relname IN (SELECT codes FROM search_indexes)
    LOOP
        EXECUTE format('DROP INDEX %s', graph);
    END LOOP;
END $$;
--;;
-- A value of a facet that few photographs have is looked up, not searched for in the whole gallery. Equal keys share an
-- entry: 7 MB for a million photographs each.
CREATE INDEX gallery_camera ON gallery (camera) WHERE camera IS NOT NULL;
--;;
CREATE INDEX gallery_lens ON gallery (lens) WHERE lens IS NOT NULL;
--;;
CREATE INDEX gallery_type ON gallery (content_type) WHERE content_type IS NOT NULL;
