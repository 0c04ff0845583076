-- The only leave to write below a root: sidecars beside the originals, or XMP inside them. No row: none.
CREATE TABLE write_consents (
    root_id  int NOT NULL REFERENCES library_roots ON DELETE CASCADE,
    kind     text NOT NULL CHECK (kind IN ('sidecar', 'embedded')),
    given_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (root_id, kind)
);
--;;
-- What a file and the person both said when they last agreed: the base of the three-way rule.
CREATE TABLE xmp_synced (
    photo_id bigint NOT NULL REFERENCES photos ON DELETE CASCADE,
    place    text NOT NULL,            -- stem, full, companion, embedded; with a folder of the person's choice before it
    said     smallint NOT NULL CHECK (said BETWEEN -1 AND 5),
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (photo_id, place)
);
