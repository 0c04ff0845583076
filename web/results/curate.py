"""Facts that the vision model stated: metadata, tags, words to search."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.results import CuratePayload
from contracts.settings import Settings
from web.database import Connection
from web.results.applied import Applied, Matched
from web.tags import write_effective_tags

_UPSERT = """
INSERT INTO photo_metadata AS m (photo_id, subject, content_type, lighting_critique, artistic_mood, tags, model, words)
SELECT r.photo_id, r.subject, r.content_type, r.lighting, r.mood, r.tags, r.model,
       setweight(to_tsvector('english', r.subject), 'A')
       || setweight(to_tsvector('english', array_to_string(r.tags, ' ')), 'B')
       || setweight(to_tsvector('english', r.mood || ' ' || r.content_type || ' ' || r.lighting), 'C')
FROM jsonb_to_recordset($1) AS r
    (photo_id bigint, subject text, content_type text, lighting text, mood text, tags text[], model text)
JOIN photos p ON p.id = r.photo_id
ON CONFLICT (photo_id) DO UPDATE SET subject = excluded.subject, content_type = excluded.content_type,
    lighting_critique = excluded.lighting_critique, artistic_mood = excluded.artistic_mood, tags = excluded.tags,
    model = excluded.model, words = excluded.words, curated_at = now()
RETURNING m.photo_id
"""


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    records = []
    for item in items:
        payload: CuratePayload = item.result.typed
        records.append(
            {
                "photo_id": item.result.subject_id,
                "subject": payload.subject,
                "content_type": payload.content_type,
                "lighting": payload.lighting_critique,
                "mood": payload.artistic_mood,
                "tags": [tag.strip().lower() for tag in payload.suggested_tags if tag.strip()],
                "model": payload.model,
            }
        )
    rows = await connection.fetch(_UPSERT, records)
    ids = {row["photo_id"] for row in rows}
    await write_effective_tags(connection, ids)
    applied.touch("curate", ids)
    applied.to_score |= ids
