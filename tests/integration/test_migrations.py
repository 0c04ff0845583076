"""An archive of an earlier version is brought to today's shape with everything in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.exif import inflate_exif
from tests.servers import TestServers
from web.database import connect
from web.migrate import migrate_async


@pytest.fixture
def empty_database_url(servers: TestServers) -> Iterator[str]:
    url = servers.empty_database()
    yield url
    servers.drop_database(url)


async def test_tags_are_deflated_where_they_lie(empty_database_url: str) -> None:
    url = empty_database_url
    await migrate_async(url, "0002")
    connection = await connect(url)
    tags = {"Exif.Image.Model": 'M10 "Monochrom" €\n'}
    await connection.execute(
        "INSERT INTO photo_exif (photo_id, exif) SELECT i, $1::text::json FROM generate_series(1, 2500) i",
        '{"Exif.Image.Model": "M10 \\"Monochrom\\" €\\n"}',
    )

    await migrate_async(url)

    rows = await connection.fetch("SELECT photo_id, exif FROM photo_exif ORDER BY photo_id")
    await connection.close()
    assert [row["photo_id"] for row in rows] == list(range(1, 2501))
    assert all(inflate_exif(row["exif"]) == tags for row in rows)
