CREATE TABLE watched_roots (
    root_id  int PRIMARY KEY REFERENCES library_roots ON DELETE CASCADE,
    since    timestamptz NOT NULL DEFAULT now(),
    looked_at timestamptz,             -- when all of it was looked at last
    reason   text                      -- why it cannot be looked at now; NULL: it can
);
--;;
-- Folders as they were when their files were last taken in: a changed time is all that tells of new, moved and renamed files.
CREATE TABLE watched_folders (
    root_id  int NOT NULL REFERENCES watched_roots ON DELETE CASCADE,
    rel_path text NOT NULL,
    mtime_ns bigint NOT NULL,
    PRIMARY KEY (root_id, rel_path)
);
