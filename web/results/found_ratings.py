"""Ratings that other programs left in the files: taken over where the person never said anything."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence

from contracts.results import FoundRating
from web import jobs
from web.database import Connection

_RATE = """
WITH r AS (SELECT * FROM unnest($1::bigint[], $2::smallint[]) AS r (photo_id, stars)), changed AS (
    INSERT INTO decisions AS d (photo_id, rating, rating_source, rejected, rejected_source)
    SELECT photo_id, CASE WHEN stars > 0 THEN stars END, CASE WHEN stars > 0 THEN 'xmp' END,
           stars < 0, CASE WHEN stars < 0 THEN 'xmp' END FROM r
    ON CONFLICT (photo_id) DO UPDATE SET
        rating = CASE WHEN d.rating_source IS NULL OR d.rating_source = 'xmp'
                      THEN coalesce(excluded.rating, d.rating) ELSE d.rating END,
        rating_source = CASE WHEN excluded.rating IS NOT NULL THEN coalesce(d.rating_source, 'xmp')
                             ELSE d.rating_source END,
        rejected = CASE WHEN d.rejected_source IS NULL THEN excluded.rejected ELSE d.rejected END,
        rejected_source = coalesce(d.rejected_source, excluded.rejected_source)
    WHERE (excluded.rating IS NOT NULL AND coalesce(d.rating_source, 'xmp') = 'xmp'
           AND d.rating IS DISTINCT FROM excluded.rating)
       OR (excluded.rejected AND d.rejected_source IS NULL)
    RETURNING d.photo_id
)
SELECT r.photo_id, r.stars FROM r JOIN changed USING (photo_id)
"""


async def take_over(connection: Connection, found: Sequence[tuple[int, int | None, FoundRating]]) -> None:
    """`found`: (photo_id, import_id, rating). Never overrides the person; counts per import; trains taste."""
    if not found:
        return
    stars = {photo_id: rating.stars for photo_id, _, rating in found}
    rows = await connection.fetch(_RATE, list(stars), list(stars.values()))
    taken = {row["photo_id"]: row["stars"] for row in rows}
    await connection.execute(
        """INSERT INTO decision_events (action_id, photo_id, field, old, new, source)
           SELECT $1, p, CASE WHEN s > 0 THEN 'rating' ELSE 'rejected' END,
                  CASE WHEN s > 0 THEN 'null'::jsonb ELSE 'false'::jsonb END,
                  CASE WHEN s > 0 THEN to_jsonb(s) ELSE 'true'::jsonb END, 'xmp'
           FROM unnest($2::bigint[], $3::smallint[]) AS t (p, s)""",
        uuid.uuid4(), list(taken), list(taken.values()),
    )  # fmt: skip
    counted = Counter(import_id for _, import_id, _ in found if import_id is not None)
    await connection.execute(
        """UPDATE imports i SET ratings_found = ratings_found + c.n
           FROM unnest($1::bigint[], $2::int[]) AS c (id, n) WHERE i.id = c.id""",
        list(counted), list(counted.values()),
    )  # fmt: skip
    if any(s > 0 for s in taken.values()):
        await jobs.request_single(connection, "taste")
