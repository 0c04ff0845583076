-- How many photographs stood for the archive when a taste was learnt: early in an import they are few.
ALTER TABLE taste_models ADD COLUMN archive_photos int;
