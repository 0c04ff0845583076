-- Without these the planner takes every tab for the whole archive, and reads all of it for a page of sixty.
CREATE STATISTICS gallery_tab_for_projects ON (tabs & 2) FROM gallery;
--;;
CREATE STATISTICS gallery_tab_match ON (tabs & 4) FROM gallery;
--;;
CREATE STATISTICS gallery_tab_no_match ON (tabs & 8) FROM gallery;
--;;
CREATE STATISTICS gallery_tab_rated ON (tabs & 16) FROM gallery;
--;;
CREATE STATISTICS gallery_tab_unrated ON (tabs & 32) FROM gallery;
--;;
CREATE STATISTICS gallery_tab_unseen ON (tabs & 64) FROM gallery;
--;;
CREATE STATISTICS gallery_tab_bursts ON (tabs & 128) FROM gallery;
--;;
CREATE STATISTICS gallery_tab_rejected ON (tabs & 256) FROM gallery;
--;;
CREATE STATISTICS gallery_tab_failed ON (tabs & 512) FROM gallery;
--;;
CREATE STATISTICS gallery_tabs_rare ON (tabs & 770) FROM gallery;
--;;
-- What a person looks at most is a small part of the archive, in the order that these tabs are read in.
CREATE INDEX gallery_match ON gallery (preference, photo_id) WHERE tabs & 4 <> 0;
--;;
CREATE INDEX gallery_rated ON gallery (rating, photo_id) WHERE tabs & 16 <> 0;
--;;
ANALYZE gallery;
