-- Versions of a photograph as they were found; what the person split stands in `decisions`.
CREATE TABLE version_members (
    photo_id bigint PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    group_id bigint NOT NULL,                  -- the lowest photo of the group
    place    smallint NOT NULL,                -- in the stack; the lowest that is listed stands in front
    reason   smallint NOT NULL                 -- 1 same pixels, 2 same name, 3 same instant, 4 same look
);
--;;
CREATE INDEX version_members_group ON version_members (group_id, place);
--;;
-- The one search for them, single-flight: `wanted_at` goes only when nobody asked again meanwhile.
CREATE TABLE version_search (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    wanted_at timestamptz,
    found_at  timestamptz
);
--;;
INSERT INTO version_search (wanted_at) SELECT now() WHERE EXISTS (SELECT 1 FROM photos);
--;;
INSERT INTO version_search DEFAULT VALUES ON CONFLICT DO NOTHING;
--;;
ALTER TABLE decisions
    ADD COLUMN apart     boolean NOT NULL DEFAULT false, -- split from its versions
    ADD COLUMN copy_kept boolean NOT NULL DEFAULT false; -- a copy that stays: not proposed for rejection again
--;;
-- The stack that a photo is shown in; NULL where it stands alone. The one in front names itself.
ALTER TABLE gallery ADD COLUMN stack_front bigint, ADD COLUMN stack_size smallint;
--;;
CREATE INDEX gallery_stack ON gallery (stack_front) WHERE stack_front IS NOT NULL;
--;;
-- Stacks of these photos' groups: of what is listed and not split, the first is in front. Rejecting the front or taking
-- it away brings the next one forward.
CREATE FUNCTION refresh_stacks(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH members AS MATERIALIZED (
        SELECT photo_id, group_id, place FROM version_members
        WHERE group_id IN (SELECT group_id FROM version_members WHERE photo_id = ANY (ids))
    ), stacks AS (
        SELECT m.photo_id, first_value(m.photo_id) OVER (PARTITION BY m.group_id ORDER BY m.place) AS front,
               count(*) OVER (PARTITION BY m.group_id) AS size
        FROM members m JOIN gallery g ON g.photo_id = m.photo_id AND g.tabs & 1 <> 0
        LEFT JOIN decisions d ON d.photo_id = m.photo_id WHERE NOT coalesce(d.apart, false)
    ), wanted AS (
        SELECT t.photo_id, s.front, s.size::smallint
        FROM (SELECT photo_id FROM members UNION SELECT unnest(ids)) t
        LEFT JOIN stacks s ON s.photo_id = t.photo_id AND s.size > 1
    )
    UPDATE gallery g SET stack_front = w.front, stack_size = w.size FROM wanted w
    WHERE g.photo_id = w.photo_id AND (g.stack_front, g.stack_size) IS DISTINCT FROM (w.front, w.size)
$$;
--;;
ALTER FUNCTION refresh_gallery(bigint[]) RENAME TO refresh_gallery_rows;
--;;
CREATE FUNCTION refresh_gallery(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    SELECT refresh_gallery_rows(ids);
    SELECT refresh_stacks(ids);
$$;
