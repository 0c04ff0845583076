"""Facets of a view."""

from __future__ import annotations

from fastapi import APIRouter

from web import facets
from web.api.searched import FacetsView
from web.context import Db, Json

router = APIRouter(tags=["photos"])


@router.get("/facets")
async def of_view(query: FacetsView, db: Db) -> Json:
    """For the view of the query: `project`, `camera`, `lens`, `type`, `tag`, `folder` and `import`, each a list of
    `{value, count}` by count descending, 50 at most (an import also has `label`, its path), and `ranges`: `[lowest,
    highest]` of each number, null where no photo has it.

    What the query says of a facet or a number does not narrow that facet's own values, so that one can switch. A count
    is the size of the view after choosing that value; of folders those are listed that hold most themselves.

    Of a search by likeness those nearest to it in the tab are counted; choosing a value may bring more.
    """
    return Json(await facets.facets(db, query))
