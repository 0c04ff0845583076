"""The values of a view's facets: their counts are the sizes of the views that they lead to."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.archive import Archive

pytestmark = pytest.mark.integration

LISTS = ("project", "camera", "lens", "type", "tag", "folder", "import")


@pytest.fixture
async def photos(archive: Archive) -> list[int]:
    """Twelve photographs in nested folders of two roots, each with a value of every facet or with none."""
    roots = [await archive.root("library"), await archive.root("library two")]
    ids = []
    for n in range(12):
        folder = ("", "a/", "a/b/", "a b/")[n % 4]
        camera = {"camera": ("M10", "X100")[n % 2], "lens": f"{35 + n % 3} mm"} if n else {}
        ids.append(await archive.ready_photo(roots[n // 9], f"{folder}{n}.jpg", **camera))
    execute = archive.connection.execute
    await execute("INSERT INTO projects (name) VALUES ('Fog'), ('Harbour/2024')")
    await execute(
        """INSERT INTO decisions (photo_id, project_id, rating, rejected)
           SELECT id, 1 + id % 2, CASE WHEN id % 4 = 0 THEN 3 END, id = 5 FROM photos WHERE id % 3 > 0"""
    )
    await execute(
        "INSERT INTO photo_metadata (photo_id, subject, content_type, model) SELECT id, 's', 't', 'm' FROM photos"
    )
    await execute(
        "INSERT INTO photo_tags SELECT 'tag ' || id % k, id FROM photos, generate_series(2, 3) k ON CONFLICT DO NOTHING"
    )
    await execute("SELECT refresh_gallery($1)", ids)
    await execute("UPDATE gallery SET preference = photo_id * 5 WHERE photo_id % 2 = 0")
    return ids


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"filter": "rejected"},
        {"filter": "unrated"},
        {"camera": "M10"},
        {"tag": "tag 1", "lens": "36 mm"},
        {"project": "fog", "min_preference": 20},
        {"q": "jpg", "import": 2},
        {"camera": "M10", "lens": "35 mm", "type": "t", "tag": "tag 1", "project": "fog", "import": 5, "folder": "/"},
        {"camera": "none such"},
    ],
)
@pytest.mark.usefixtures("photos")
async def test_a_count_is_the_size_of_the_view_after_choosing_the_value(
    client: httpx.AsyncClient, view: dict[str, Any]
) -> None:
    facets = (await client.get("/api/facets", params=view)).json()

    for facet in LISTS:
        for item in facets[facet]:
            chosen = await client.get("/api/photos", params=view | {facet: item["value"]})
            assert chosen.json()["total"] == item["count"] > 0, (facet, item)


async def test_every_value_of_the_view_is_there_most_first(
    archive: Archive, client: httpx.AsyncClient, photos: list[int]
) -> None:
    facets = (await client.get("/api/facets")).json()

    library = str(archive.folder / "library")
    assert facets["camera"] == [{"value": "X100", "count": 6}, {"value": "M10", "count": 4}]
    assert facets["type"] == [{"value": "t", "count": 11}]
    assert facets["folder"][0] == {"value": library, "count": 8}
    assert {f["value"] for f in facets["folder"]} >= {library, f"{library}/a", f"{library}/a/b", f"{library} two/a b"}
    assert [item["label"] for item in facets["import"]] == [library] * 8 + [f"{library} two"] * 3
    assert [item["value"] for item in facets["import"]] == [n for n in range(1, 13) if n != 5]
    for facet in LISTS:
        counts = [item["count"] for item in facets[facet]]
        assert counts == sorted(counts, reverse=True)


@pytest.mark.usefixtures("photos")
async def test_ranges_reach_as_if_their_own_limits_were_not_set(client: httpx.AsyncClient) -> None:
    every = (await client.get("/api/facets")).json()["ranges"]
    limited = (await client.get("/api/facets", params={"min_preference": 30, "max_preference": 40})).json()["ranges"]
    rated = (await client.get("/api/facets", params={"min_rating": 3})).json()["ranges"]

    assert every == {
        "preference": [10, 60], "vibe": None, "rating": [3, 3], "technical": [50, 50], "sharpness": [50, 50],
        "exposure": [50, 50], "focus": None,
    }  # fmt: skip
    assert limited["preference"] == [10, 60]
    assert limited["rating"] == [3, 3]
    assert rated["preference"] == [20, 40]


async def test_an_empty_archive_has_no_values(client: httpx.AsyncClient) -> None:
    facets = (await client.get("/api/facets")).json()

    assert all(facets[name] == [] for name in LISTS)
    assert set(facets["ranges"].values()) == {None}


async def test_at_most_fifty_values_are_listed(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    await archive.connection.execute(
        "INSERT INTO photo_tags SELECT 'tag ' || n, $1 FROM generate_series(1, 60) n", photo
    )

    assert len((await client.get("/api/facets")).json()["tag"]) == 50


async def test_what_is_no_view_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/facets", params={"colour": "red"})

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
