-- The archive. One statement ends at each line of "--;;".
CREATE EXTENSION IF NOT EXISTS vector;
--;;
-- ── Where photographs live ────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE library_roots (
    id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path           text NOT NULL UNIQUE,
    marker         text,           -- file system and place in it, so that a root is known under another letter
    source         text NOT NULL DEFAULT 'person',
    offline_reason text,           -- NULL: online
    added_at       timestamptz NOT NULL DEFAULT now()
);
--;;
CREATE INDEX library_roots_marker ON library_roots (marker) WHERE marker IS NOT NULL;
--;;
CREATE TABLE imports (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    root_id           int NOT NULL REFERENCES library_roots,
    rel_path          text NOT NULL,           -- the folder, relative to the root; '' is the root
    sample            int,                     -- NULL: all
    seed              bigint NOT NULL DEFAULT 0,
    project           text,
    include_discarded boolean NOT NULL DEFAULT false,
    status            text NOT NULL DEFAULT 'scanning'
                      CHECK (status IN ('scanning', 'running', 'stopped', 'done', 'failed')),
    reason            text,
    folders_found     int NOT NULL DEFAULT 0,
    folders_done      int NOT NULL DEFAULT 0,
    files_found       int NOT NULL DEFAULT 0,
    files_known       int NOT NULL DEFAULT 0,
    files_discarded   int NOT NULL DEFAULT 0,
    photos_selected   int NOT NULL DEFAULT 0,
    photos_merged     int NOT NULL DEFAULT 0,  -- turned out to be a known picture: moved, or under another root
    paths_skipped     int NOT NULL DEFAULT 0,
    ratings_found     int NOT NULL DEFAULT 0,
    bytes_found       bigint NOT NULL DEFAULT 0,
    summary           jsonb,
    created_at        timestamptz NOT NULL DEFAULT now(),
    finished_at       timestamptz
);
--;;
CREATE INDEX imports_open ON imports (id) WHERE status IN ('scanning', 'running');
--;;
CREATE TABLE import_folders (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id  bigint NOT NULL REFERENCES imports ON DELETE CASCADE,
    rel_path   text NOT NULL,
    UNIQUE (import_id, rel_path)
);
--;;
-- Candidates of a sampled import, until the draw.
CREATE TABLE import_files (
    import_id  bigint NOT NULL REFERENCES imports ON DELETE CASCADE,
    rel_path   text NOT NULL,
    draw_key   bytea NOT NULL,
    file       jsonb NOT NULL,                 -- the scanned file as it was reported
    PRIMARY KEY (import_id, rel_path)
);
--;;
CREATE INDEX import_files_draw ON import_files (import_id, draw_key);
--;;
-- ── Photographs: identity, lifecycle, what the pipeline measured ──────────────────────────────────────────────────
CREATE TABLE photos (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    root_id              int NOT NULL REFERENCES library_roots,
    rel_path             text NOT NULL,
    file_size            bigint,
    mtime_ns             bigint,
    companion_rel_path   text,
    companion_size       bigint,
    companion_mtime_ns   bigint,
    sidecar_rel_paths    text[] NOT NULL DEFAULT '{}',
    import_id            bigint REFERENCES imports,
    status               text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'ready', 'failed')),
    failure_reason       text,
    failure_detail       jsonb,
    discarded_at         timestamptz,
    missing_since        timestamptz,
    file_hash            bytea,
    pixel_hash           bytea,
    phash                bigint,
    derivative_generation int,                 -- which files in the derivatives folder are this photo's
    width                int,
    height               int,
    preview_width        int,
    preview_height       int,
    thumb_width          int,
    thumb_height         int,
    dominant_color       int,
    is_monochrome        boolean,
    picture_source       text,
    technical_score      smallint,
    sharpness_score      smallint,
    exposure_score       smallint,
    focus_score          real,
    focus_noise          real,
    focus_source         text,
    focus_tiles          bytea,
    focus_rows           smallint,
    focus_cols           smallint,
    captured_at          timestamp(6),         -- camera-local
    captured_offset_min  smallint,
    captured_source      text,
    camera               text,
    camera_serial        text,
    lens                 text,
    iso                  int,
    aperture             real,
    shutter_s            double precision,
    focal_length_mm      real,
    warnings             text[] NOT NULL DEFAULT '{}',
    inserted_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (root_id, rel_path)
);
--;;
CREATE INDEX photos_pixel_hash ON photos (pixel_hash) WHERE pixel_hash IS NOT NULL;
--;;
CREATE INDEX photos_import ON photos (import_id);
--;;
CREATE TABLE photo_exif (
    photo_id bigint PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    exif     jsonb NOT NULL
);
--;;
-- The same picture found at a second place under another root.
CREATE TABLE photo_locations (
    root_id            int NOT NULL REFERENCES library_roots,
    rel_path           text NOT NULL,
    photo_id           bigint NOT NULL REFERENCES photos ON DELETE CASCADE,
    file_size          bigint,
    mtime_ns           bigint,
    file_hash          bytea,
    companion_rel_path text,
    PRIMARY KEY (root_id, rel_path)
);
--;;
CREATE INDEX photo_locations_photo ON photo_locations (photo_id);
--;;
CREATE TABLE photo_metadata (
    photo_id          bigint PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    subject           text NOT NULL,
    content_type      text NOT NULL,
    lighting_critique text NOT NULL DEFAULT '',
    artistic_mood     text NOT NULL DEFAULT '',
    tags              text[] NOT NULL DEFAULT '{}',
    model             text NOT NULL,
    curated_at        timestamptz NOT NULL DEFAULT now(),
    words             tsvector
);
--;;
CREATE INDEX photo_metadata_words ON photo_metadata USING gin (words);
--;;
-- Tags as the person sees them: the model's, plus added, minus removed. Lower-cased.
CREATE TABLE photo_tags (
    tag      text NOT NULL,
    photo_id bigint NOT NULL REFERENCES photos ON DELETE CASCADE,
    PRIMARY KEY (tag, photo_id)
);
--;;
CREATE INDEX photo_tags_photo ON photo_tags (photo_id);
--;;
-- ── What the person decided: never written by a pipeline result, except where the person never set it ────────────
CREATE TABLE projects (
    id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
--;;
CREATE UNIQUE INDEX projects_name ON projects (lower(name));
--;;
CREATE TABLE decisions (
    photo_id            bigint PRIMARY KEY REFERENCES photos,
    rating              smallint CHECK (rating BETWEEN 1 AND 5),
    rating_source       text,                  -- person, import, xmp; stays 'person' when the person clears it
    manual_match        boolean NOT NULL DEFAULT false,
    manual_match_source text,
    rejected            boolean NOT NULL DEFAULT false,
    rejected_source     text,
    project_id          int REFERENCES projects ON DELETE SET NULL,
    project_source      text,
    tags_added          text[] NOT NULL DEFAULT '{}',
    tags_removed        text[] NOT NULL DEFAULT '{}',
    seen_at             timestamptz,
    updated_at          timestamptz NOT NULL DEFAULT now()
);
--;;
CREATE INDEX decisions_rated ON decisions (photo_id) WHERE rating IS NOT NULL;
--;;
CREATE TABLE decision_events (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action_id uuid NOT NULL,
    photo_id  bigint NOT NULL REFERENCES photos,
    field     text NOT NULL,                   -- rating, manual_match, rejected, project, tags_added, tags_removed
    old       jsonb NOT NULL,
    new       jsonb NOT NULL,
    source    text NOT NULL,
    session   text,
    undoes    uuid,                            -- the action that this one took back
    at        timestamptz NOT NULL DEFAULT now()
);
--;;
CREATE INDEX decision_events_action ON decision_events (action_id);
--;;
CREATE INDEX decision_events_photo ON decision_events (photo_id, id);
--;;
CREATE INDEX decision_events_undoes ON decision_events (undoes) WHERE undoes IS NOT NULL;
--;;
CREATE INDEX decision_events_session ON decision_events (session, id) WHERE session IS NOT NULL;
--;;
-- ── Vectors and taste ─────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE encoders (
    id     smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text NOT NULL UNIQUE,
    dim    int,                                -- known with the first vector
    status text NOT NULL DEFAULT 'building' CHECK (status IN ('active', 'building', 'retired'))
);
--;;
CREATE UNIQUE INDEX encoders_one_active ON encoders (status) WHERE status = 'active';
--;;
CREATE TABLE embeddings (
    encoder_id smallint NOT NULL REFERENCES encoders,
    photo_id   bigint NOT NULL REFERENCES photos ON DELETE CASCADE,
    vec        halfvec NOT NULL,
    PRIMARY KEY (encoder_id, photo_id)
);
--;;
-- Out-of-line storage makes an exact scan three times slower.
ALTER TABLE embeddings ALTER COLUMN vec SET STORAGE PLAIN;
--;;
CREATE TABLE taste_models (
    version             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    encoder_id          smallint NOT NULL REFERENCES encoders,
    dim                 int NOT NULL,
    weights             bytea NOT NULL,        -- float32 little-endian
    bias                double precision NOT NULL,
    n_ratings           int NOT NULL,
    tentative           boolean NOT NULL,
    cv_rank_correlation real,
    cv_ungrouped        real,
    spread_factor       real,
    alpha               double precision,
    retired             boolean NOT NULL DEFAULT false, -- too few ratings are left
    scored_at           timestamptz,           -- NULL: the archive still has to be scored with it
    created_at          timestamptz NOT NULL DEFAULT now()
);
--;;
CREATE TABLE burst_groups (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    encoder_id smallint NOT NULL REFERENCES encoders,
    threshold  real NOT NULL,
    gap_s      real NOT NULL,
    tie        boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
--;;
CREATE TABLE burst_members (
    photo_id bigint PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    group_id bigint NOT NULL REFERENCES burst_groups ON DELETE CASCADE,
    keeper   boolean NOT NULL DEFAULT false
);
--;;
CREATE INDEX burst_members_group ON burst_members (group_id);
--;;
-- ── Work: the job rows are the outbox ─────────────────────────────────────────────────────────────────────────────
CREATE TABLE jobs (
    stage        text NOT NULL,
    subject_id   bigint NOT NULL,              -- a photo, a folder of an import, or 0 (taste, bursts)
    status       text NOT NULL DEFAULT 'due' CHECK (status IN ('due', 'queued', 'done', 'failed', 'cancelled')),
    priority     smallint NOT NULL DEFAULT 0,
    urgent       boolean NOT NULL DEFAULT false,
    available_at timestamptz NOT NULL DEFAULT now(),
    generation   int NOT NULL DEFAULT 1,
    attempts     int NOT NULL DEFAULT 0,       -- failed attempts of this generation
    dirty        boolean NOT NULL DEFAULT false, -- single-flight: changed while it ran, so run once more
    claim_id     uuid,
    queued_at    timestamptz,
    finished_at  timestamptz,
    seconds      real,
    worker       text,
    error        jsonb,
    params       jsonb,
    PRIMARY KEY (stage, subject_id)
) WITH (fillfactor = 80);
--;;
CREATE INDEX jobs_due ON jobs (stage, priority DESC, available_at, subject_id) WHERE status = 'due';
--;;
CREATE INDEX jobs_queued ON jobs (stage, queued_at) WHERE status = 'queued';
--;;
CREATE INDEX jobs_failed ON jobs (stage, subject_id) WHERE status = 'failed';
--;;
CREATE INDEX jobs_subject ON jobs (subject_id);
--;;
CREATE TABLE stages (
    name          text PRIMARY KEY,
    person_paused boolean NOT NULL DEFAULT false,
    breaker_reason text,                       -- NULL: closed
    breaker_kind  text,                        -- upstream, disk
    breaker_until timestamptz,                 -- when to probe
    flush         boolean NOT NULL DEFAULT false, -- take back what is queued, so that a change acts at once
    breaker_trips int NOT NULL DEFAULT 0,
    same_errors   int NOT NULL DEFAULT 0,      -- identical refusals in a row
    same_error    text,
    changed_at    timestamptz NOT NULL DEFAULT now()
);
--;;
INSERT INTO stages (name) VALUES ('scan'), ('convert'), ('render'), ('curate'), ('embed'), ('taste'), ('bursts');
--;;
-- ── The read model: one narrow row per photo ──────────────────────────────────────────────────────────────────────
CREATE TABLE gallery (
    photo_id     bigint PRIMARY KEY,
    status       text NOT NULL,
    failed_stage text,
    discarded    boolean NOT NULL DEFAULT false,
    rejected     boolean NOT NULL DEFAULT false,
    seen         boolean NOT NULL DEFAULT false,
    picked       boolean NOT NULL DEFAULT false,
    is_match     boolean NOT NULL DEFAULT false,
    rating       smallint,
    preference   smallint,
    vibe         smallint,
    technical    smallint,
    sharpness    smallint,
    exposure     smallint,
    focus        real,
    project_id   int,
    import_id    bigint,
    burst_group  bigint,
    captured_at  timestamp(6),
    root_id      int NOT NULL,
    folder       text NOT NULL,
    name         text NOT NULL COLLATE "C",    -- lower-cased file name
    camera       text,
    lens         text,
    content_type text,
    -- Bits of the gallery's tabs; the one place that says what a tab holds.
    tabs         int NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN discarded THEN 0
            ELSE
                CASE WHEN status = 'failed' OR failed_stage IS NOT NULL THEN 512 ELSE 0 END
                + CASE
                    WHEN status <> 'ready' THEN 0
                    WHEN rejected THEN 256
                    ELSE 1
                        + CASE WHEN rating >= 4 AND project_id IS NULL THEN 2 ELSE 0 END
                        + CASE WHEN is_match THEN 4 WHEN preference IS NOT NULL THEN 8 ELSE 0 END
                        + CASE WHEN rating IS NOT NULL THEN 16 ELSE 32 END
                        + CASE WHEN seen OR rating IS NOT NULL THEN 0 ELSE 64 END
                        + CASE WHEN burst_group IS NOT NULL THEN 128 ELSE 0 END
                  END
        END) STORED
) WITH (fillfactor = 70);
--;;
CREATE INDEX gallery_preference ON gallery (preference, photo_id);
--;;
CREATE INDEX gallery_captured ON gallery (captured_at, photo_id);
--;;
CREATE INDEX gallery_vibe ON gallery (vibe, photo_id);
--;;
CREATE INDEX gallery_rating ON gallery (rating, photo_id);
--;;
CREATE INDEX gallery_sharpness ON gallery (sharpness, photo_id);
--;;
CREATE INDEX gallery_focus ON gallery (focus, photo_id);
--;;
CREATE INDEX gallery_exposure ON gallery (exposure, photo_id);
--;;
CREATE INDEX gallery_name ON gallery (name, photo_id);
--;;
CREATE INDEX gallery_rare_tabs ON gallery (photo_id) WHERE tabs & 770 <> 0;
--;;
CREATE INDEX gallery_project ON gallery (project_id) WHERE project_id IS NOT NULL;
--;;
CREATE INDEX gallery_burst ON gallery (burst_group) WHERE burst_group IS NOT NULL;
--;;
-- Maintained counters: every change appends its difference, readers sum, the relay folds.
CREATE TABLE counter_deltas (
    scope text NOT NULL,                       -- tab, photos, job:STAGE, import:N
    key   text NOT NULL,
    delta bigint NOT NULL
);
--;;
CREATE FUNCTION count_jobs_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter_deltas SELECT 'job:' || stage, status, count(*) FROM fresh GROUP BY stage, status;
    RETURN NULL;
END $$;
--;;
CREATE FUNCTION count_jobs_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter_deltas
    SELECT 'job:' || stage, status, sum(n) FROM (
        SELECT stage, status, 1 AS n FROM fresh UNION ALL SELECT stage, status, -1 FROM stale
    ) c GROUP BY stage, status HAVING sum(n) <> 0;
    RETURN NULL;
END $$;
--;;
CREATE FUNCTION count_jobs_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter_deltas SELECT 'job:' || stage, status, -count(*) FROM stale GROUP BY stage, status;
    RETURN NULL;
END $$;
--;;
CREATE TRIGGER count_jobs_inserted AFTER INSERT ON jobs
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION count_jobs_inserted();
--;;
CREATE TRIGGER count_jobs_updated AFTER UPDATE ON jobs
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION count_jobs_updated();
--;;
CREATE TRIGGER count_jobs_deleted AFTER DELETE ON jobs
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION count_jobs_deleted();
--;;
-- The tabs' bits by name, for the counters and for the queries.
CREATE FUNCTION tab_bits() RETURNS TABLE (tab text, mask int) LANGUAGE sql IMMUTABLE AS $$
    VALUES ('all', 1), ('for_projects', 2), ('match', 4), ('no_match', 8), ('rated', 16), ('unrated', 32),
           ('unseen', 64), ('bursts', 128), ('rejected', 256), ('failed', 512)
$$;
--;;
CREATE FUNCTION count_gallery_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter_deltas
    WITH changed AS (SELECT tabs, count(*) AS n FROM fresh GROUP BY tabs)
    SELECT 'tab', tab, sum(n) FROM changed JOIN tab_bits() ON tabs & mask <> 0 GROUP BY tab;
    INSERT INTO counter_deltas
    SELECT 'photos', CASE WHEN discarded THEN 'discarded' ELSE status END, count(*) FROM fresh GROUP BY 2;
    INSERT INTO counter_deltas
    SELECT 'import:' || import_id, status, count(*) FROM fresh WHERE import_id IS NOT NULL GROUP BY import_id, status;
    RETURN NULL;
END $$;
--;;
CREATE FUNCTION count_gallery_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter_deltas
    WITH changed AS (
        SELECT tabs, sum(n) AS n FROM (
            SELECT tabs, 1 AS n FROM fresh UNION ALL SELECT tabs, -1 FROM stale
        ) c GROUP BY tabs HAVING sum(n) <> 0
    )
    SELECT 'tab', tab, sum(n) FROM changed JOIN tab_bits() ON tabs & mask <> 0 GROUP BY tab HAVING sum(n) <> 0;
    INSERT INTO counter_deltas
    SELECT 'photos', key, sum(n) FROM (
        SELECT CASE WHEN discarded THEN 'discarded' ELSE status END AS key, 1 AS n FROM fresh
        UNION ALL SELECT CASE WHEN discarded THEN 'discarded' ELSE status END, -1 FROM stale
    ) c GROUP BY key HAVING sum(n) <> 0;
    INSERT INTO counter_deltas
    SELECT 'import:' || import_id, status, sum(n) FROM (
        SELECT import_id, status, 1 AS n FROM fresh WHERE import_id IS NOT NULL
        UNION ALL SELECT import_id, status, -1 FROM stale WHERE import_id IS NOT NULL
    ) c GROUP BY import_id, status HAVING sum(n) <> 0;
    RETURN NULL;
END $$;
--;;
CREATE FUNCTION count_gallery_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter_deltas
    WITH changed AS (SELECT tabs, count(*) AS n FROM stale GROUP BY tabs)
    SELECT 'tab', tab, -sum(n) FROM changed JOIN tab_bits() ON tabs & mask <> 0 GROUP BY tab;
    INSERT INTO counter_deltas
    SELECT 'photos', CASE WHEN discarded THEN 'discarded' ELSE status END, -count(*) FROM stale GROUP BY 2;
    INSERT INTO counter_deltas
    SELECT 'import:' || import_id, status, -count(*) FROM stale WHERE import_id IS NOT NULL
    GROUP BY import_id, status;
    RETURN NULL;
END $$;
--;;
CREATE TRIGGER count_gallery_inserted AFTER INSERT ON gallery
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION count_gallery_inserted();
--;;
CREATE TRIGGER count_gallery_updated AFTER UPDATE ON gallery
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION count_gallery_updated();
--;;
CREATE TRIGGER count_gallery_deleted AFTER DELETE ON gallery
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION count_gallery_deleted();
--;;
-- ── Settings that change while it runs, events, logs ──────────────────────────────────────────────────────────────
CREATE TABLE preferences (
    key   text PRIMARY KEY,                    -- match_threshold ("70" or "auto"), match_cut (the number in force), ...
    value jsonb NOT NULL
);
--;;
INSERT INTO preferences VALUES ('match_cut', '70');
--;;
CREATE TABLE events (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    data jsonb NOT NULL,
    at   timestamptz NOT NULL DEFAULT now()
);
--;;
CREATE INDEX events_at ON events (at);
--;;
CREATE TABLE error_logs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    worker       text NOT NULL,                -- the stage
    file         text,
    photo_id     bigint,
    reason       text NOT NULL,
    status       text NOT NULL,                -- retrying, failed, paused, skipped
    attempt      int,
    max_attempts int,
    detail       jsonb
);
--;;
-- The relation of a folder of the library to a photo: everything before the last slash.
CREATE FUNCTION folder_of(rel_path text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN strpos(rel_path, '/') = 0 THEN ''
                ELSE left(rel_path, length(rel_path) - length(substring(rel_path from '[^/]*$')) - 1) END
$$;
--;;
-- Picked, or at or above the cut unless the person gave it 1 to 3 stars.
CREATE FUNCTION is_match(picked boolean, preference smallint, rating smallint, cut int) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(picked OR (preference >= cut AND (rating IS NULL OR rating >= 4)), false)
$$;
--;;
CREATE FUNCTION match_cut() RETURNS int LANGUAGE sql STABLE AS $$
    SELECT (value #>> '{}')::int FROM preferences WHERE key = 'match_cut'
$$;
--;;
-- Rebuilds the read model's rows of these photos from their sources; scores (preference, vibe) are kept as they are,
-- since only scoring writes them. Callers run it in the transaction that changed a source.
CREATE FUNCTION refresh_gallery(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO gallery AS g (photo_id, status, failed_stage, discarded, rejected, seen, picked, is_match, rating,
        technical, sharpness, exposure, focus, project_id, import_id, burst_group, captured_at, root_id, folder, name,
        camera, lens, content_type)
    SELECT p.id, p.status,
        (SELECT min(j.stage) FROM jobs j
          WHERE j.subject_id = p.id AND j.status = 'failed' AND j.stage IN ('convert', 'curate', 'embed')),
        p.discarded_at IS NOT NULL, coalesce(d.rejected, false), d.seen_at IS NOT NULL,
        coalesce(d.manual_match, false), is_match(d.manual_match, NULL, d.rating, match_cut()), d.rating,
        p.technical_score, p.sharpness_score, p.exposure_score, p.focus_score, d.project_id, p.import_id, b.group_id,
        p.captured_at, p.root_id, folder_of(p.rel_path), lower(substring(p.rel_path from '[^/]*$')),
        p.camera, p.lens, m.content_type
    FROM photos p
    LEFT JOIN decisions d ON d.photo_id = p.id
    LEFT JOIN burst_members b ON b.photo_id = p.id
    LEFT JOIN photo_metadata m ON m.photo_id = p.id
    WHERE p.id = ANY (ids)
    ORDER BY p.id
    ON CONFLICT (photo_id) DO UPDATE SET
        status = excluded.status, failed_stage = excluded.failed_stage, discarded = excluded.discarded,
        rejected = excluded.rejected, seen = excluded.seen, picked = excluded.picked,
        is_match = is_match(excluded.picked, g.preference, excluded.rating, match_cut()),
        rating = excluded.rating, technical = excluded.technical, sharpness = excluded.sharpness,
        exposure = excluded.exposure, focus = excluded.focus, project_id = excluded.project_id,
        import_id = excluded.import_id, burst_group = excluded.burst_group, captured_at = excluded.captured_at,
        root_id = excluded.root_id, folder = excluded.folder, name = excluded.name, camera = excluded.camera,
        lens = excluded.lens, content_type = excluded.content_type
$$;
