"""The tags that a person sees: the model's, plus those added, minus those removed; lower-cased."""

from __future__ import annotations

from collections.abc import Collection

from web.database import Connection


async def write_effective_tags(connection: Connection, photo_ids: Collection[int]) -> None:
    """Rewrites `photo_tags` of these photos from the metadata and the decisions."""
    if not photo_ids:
        return
    ids = list(photo_ids)
    await connection.execute("DELETE FROM photo_tags WHERE photo_id = ANY ($1)", ids)
    await connection.execute(
        """
        INSERT INTO photo_tags (photo_id, tag)
        SELECT DISTINCT p.id, lower(t.tag) FROM photos p
        LEFT JOIN photo_metadata m ON m.photo_id = p.id
        LEFT JOIN decisions d ON d.photo_id = p.id
        CROSS JOIN LATERAL unnest(coalesce(m.tags, '{}') || coalesce(d.tags_added, '{}')) AS t (tag)
        WHERE p.id = ANY ($1) AND lower(t.tag) <> ALL (SELECT lower(r) FROM unnest(coalesce(d.tags_removed, '{}')) r)
        """,
        ids,
    )
