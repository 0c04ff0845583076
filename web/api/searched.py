"""Views of the gallery as requests ask for them, their search already done.

Name one of these before `Db` among a route's parameters: then no connection is held while words are encoded.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import Field

from web import search
from web.api.shapes import LARGEST_PAGE, PAGE
from web.context import Here
from web.gallery_query import GalleryQuery


class PageQuery(GalleryQuery):
    """A view, and where in it."""

    cursor: str | None = Field(default=None, max_length=1000)
    limit: int = Field(default=PAGE, ge=1, le=LARGEST_PAGE)

    def view(self) -> GalleryQuery:
        plain = GalleryQuery.model_validate(self.model_dump(by_alias=True, exclude={"cursor", "limit"}))
        return plain if self.found is None else plain.with_found(self.found)


async def _view(here: Here, query: Annotated[GalleryQuery, Query()]) -> GalleryQuery:
    return await search.searched(here.pool, here.text_tower, here.likeness, query)


async def _page_view(here: Here, query: Annotated[PageQuery, Query()]) -> PageQuery:
    view = await search.searched(here.pool, here.text_tower, here.likeness, query.view())
    return query if view.found is None else query.with_found(view.found)


async def _view_of_facets(here: Here, query: Annotated[GalleryQuery, Query()]) -> GalleryQuery:
    """Searched in the whole tab: what a facet that is set holds back, its other values are counted among."""
    found = (await search.searched(here.pool, here.text_tower, here.likeness, query.search_alone())).found
    return query if found is None else query.with_found(found)


View = Annotated[GalleryQuery, Depends(_view)]
PageView = Annotated[PageQuery, Depends(_page_view)]
FacetsView = Annotated[GalleryQuery, Depends(_view_of_facets)]
