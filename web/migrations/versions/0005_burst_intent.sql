-- bracket, focus_stack, panorama: meant as a whole, has no best frame. NULL: a burst.
ALTER TABLE burst_groups ADD COLUMN intent text CHECK (intent IN ('bracket', 'focus_stack', 'panorama'));
--;;
-- What the person decided about a frame among those taken with it. NULL: nothing yet; 0: kept, as all of them are; its
-- own id: the best, in front of the others; another id: behind that one. With the photo, not with the group: groups
-- are found anew, decisions stay.
ALTER TABLE decisions ADD COLUMN burst_front bigint;
--;;
CREATE INDEX decisions_burst_front ON decisions (burst_front) WHERE burst_front IS NOT NULL;
--;;
-- The group that a frame is shown with: none once all were kept, and none while it is hidden behind the best one.
CREATE FUNCTION shown_burst(photo bigint, grp bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT grp WHERE NOT EXISTS (
        SELECT FROM decisions d WHERE d.photo_id = photo AND d.burst_front IS NOT NULL AND d.burst_front <> photo
            AND (d.burst_front = 0 OR EXISTS (
                SELECT FROM burst_members m JOIN decisions f ON f.photo_id = m.photo_id
                WHERE m.photo_id = d.burst_front AND m.group_id = grp AND f.burst_front = f.photo_id)))
$$;
--;;
CREATE OR REPLACE FUNCTION refresh_gallery(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    -- In one order everywhere, so that two of them never wait in a circle; what follows sees what others committed.
    SELECT FROM gallery WHERE photo_id = ANY (ids) ORDER BY photo_id FOR NO KEY UPDATE;
    WITH now AS MATERIALIZED (
        SELECT p.id, p.status,
            (SELECT min(j.stage) FROM jobs j
              WHERE j.subject_id = p.id AND j.status = 'failed' AND j.stage IN ('convert', 'curate', 'embed'))
                AS failed_stage,
            p.discarded_at IS NOT NULL AS discarded, coalesce(d.rejected, false) AS rejected,
            d.seen_at IS NOT NULL AS seen, coalesce(d.manual_match, false) AS picked, d.manual_match, d.rating,
            p.technical_score, p.sharpness_score, p.exposure_score, p.focus_score, d.project_id, p.import_id,
            CASE WHEN d.burst_front IS NULL OR d.burst_front = p.id THEN b.group_id
                 ELSE shown_burst(p.id, b.group_id) END AS group_id,
            p.captured_at, p.root_id, folder_of(p.rel_path) AS folder,
            lower(substring(p.rel_path from '[^/]*$')) AS name, p.camera, p.lens, m.content_type
        FROM photos p
        LEFT JOIN decisions d ON d.photo_id = p.id
        LEFT JOIN burst_members b ON b.photo_id = p.id
        LEFT JOIN photo_metadata m ON m.photo_id = p.id
        WHERE p.id = ANY (ids)
    ), updated AS (
        UPDATE gallery g SET
            status = n.status, failed_stage = n.failed_stage, discarded = n.discarded, rejected = n.rejected,
            seen = n.seen, picked = n.picked, is_match = is_match(n.picked, g.preference, n.rating, (SELECT match_cut())),
            rating = n.rating, technical = n.technical_score, sharpness = n.sharpness_score,
            exposure = n.exposure_score, focus = n.focus_score, project_id = n.project_id, import_id = n.import_id,
            burst_group = n.group_id, captured_at = n.captured_at, root_id = n.root_id, folder = n.folder,
            name = n.name, camera = n.camera, lens = n.lens, content_type = n.content_type
        FROM now n WHERE g.photo_id = n.id
        RETURNING g.photo_id
    )
    INSERT INTO gallery (photo_id, status, failed_stage, discarded, rejected, seen, picked, is_match, rating,
        technical, sharpness, exposure, focus, project_id, import_id, burst_group, captured_at, root_id, folder, name,
        camera, lens, content_type)
    SELECT n.id, n.status, n.failed_stage, n.discarded, n.rejected, n.seen, n.picked,
        is_match(n.manual_match, NULL, n.rating, (SELECT match_cut())), n.rating, n.technical_score, n.sharpness_score,
        n.exposure_score, n.focus_score, n.project_id, n.import_id, n.group_id, n.captured_at, n.root_id, n.folder,
        n.name, n.camera, n.lens, n.content_type
    FROM now n WHERE NOT EXISTS (SELECT FROM updated u WHERE u.photo_id = n.id)
    ORDER BY n.id
    ON CONFLICT (photo_id) DO NOTHING
$$;
