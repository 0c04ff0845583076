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


async def test_the_graph_of_a_search_index_goes_and_its_codes_stay(empty_database_url: str) -> None:
    await migrate_async(empty_database_url, "0010")
    connection = await connect(empty_database_url)
    await connection.execute(
        """CREATE TABLE search_codes_1_7 (photo_id bigint NOT NULL, code bit(64) NOT NULL);
           CREATE INDEX ON search_codes_1_7 USING hnsw (code bit_hamming_ops);
           INSERT INTO search_codes_1_7 SELECT i, i::bit(64) FROM generate_series(1, 50) i;
           INSERT INTO encoders (name, dim, status) VALUES ('e', 64, 'active')"""
    )
    await connection.execute(
        """INSERT INTO search_indexes (encoder_id, codes, mean, vectors, seconds)
           SELECT id, 'search_codes_1_7', array_fill(0::real, ARRAY[64])::halfvec(64), 50, 1 FROM encoders"""
    )

    await migrate_async(empty_database_url)

    left = await connection.fetchval("SELECT count(*) FROM pg_indexes WHERE tablename = 'search_codes_1_7'")
    codes = await connection.fetchval("SELECT count(*) FROM search_codes_1_7")
    await connection.close()
    assert (left, codes) == (0, 50)
