-- What explains a score and says how far it can be trusted. The arrays stand with the newest model only.
ALTER TABLE taste_models
    DROP COLUMN alpha,
    ADD COLUMN mean real,
    ADD COLUMN centre bytea,               -- float32 (dim,)
    ADD COLUMN lens bytea,                 -- float16 (dim, q)
    ADD COLUMN photo_ids bytea,            -- int64 (n_ratings,): what it was trained on
    ADD COLUMN stars bytea,                -- float32 (n_ratings,)
    ADD COLUMN chance real,                -- permutation test; NULL: nothing could be left out
    ADD COLUMN curve jsonb,                -- [[ratings, correlation on new shoots], ...]
    ADD COLUMN judged_ratings int,         -- how many there were when it was last judged
    ADD COLUMN judged_at timestamptz;
--;;
-- Each rated photo by the model without its shoot, as of the last judgement.
CREATE TABLE taste_left_out (
    photo_id  bigint PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    stars     smallint NOT NULL,
    predicted real NOT NULL                -- stars
);
--;;
-- What was offered for rating last: asked for by the model, or drawn at random.
CREATE TABLE taste_offers (
    photo_id   bigint PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('asked', 'random')),
    offered_at timestamptz NOT NULL DEFAULT now()
);
--;;
-- The score that a photo had just before the person rated it for the first time. Never overwritten.
CREATE TABLE taste_guesses (
    photo_id bigint PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    score    smallint,                     -- NULL: there was no model yet
    version  int,
    offer    text CHECK (offer IN ('asked', 'random')), -- NULL: the person came to it
    at       timestamptz NOT NULL DEFAULT now()
);
--;;
CREATE INDEX taste_guesses_random ON taste_guesses (at) WHERE offer = 'random';
