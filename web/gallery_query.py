"""What a view of the gallery asks for, and its translation to conditions on the read model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

Tab = Literal["all", "for_projects", "match", "no_match", "rated", "unrated", "unseen", "bursts", "rejected", "failed"]
SortKey = Literal[
    "preference", "captured", "newest", "vibe", "rating", "sharpness", "focus", "exposure", "name", "relevance"
]
Toward = Literal["sharper", "better_exposed", "more_liked"]

TABS: tuple[Tab, ...] = get_args(Tab)
TAB_BITS: dict[Tab, int] = {tab: 1 << n for n, tab in enumerate(TABS)}
"""As `tab_bits()` of the first migration has them (a test compares)."""
RARE_BITS = 770
"""The predicate of the index `gallery_rare_tabs`: for_projects, rejected, failed."""

SORT_COLUMNS: dict[SortKey, str] = {
    "preference": "preference",
    "captured": "captured_at",
    "newest": "photo_id",
    "vibe": "vibe",
    "rating": "rating",
    "sharpness": "sharpness",
    "focus": "focus",
    "exposure": "exposure",
    "name": "name",
}
NUMBERS = ("preference", "vibe", "rating", "technical", "sharpness", "exposure", "focus")
"""Numbers that `min_` and `max_` limit."""
RELEVANCE = "relevance"
"""The order of a search, best first with a leading `-`. Without a search it is as if nothing had been said."""
SORT_PATTERN = "^-?(" + "|".join([*SORT_COLUMNS, RELEVANCE]) + ")$"
_PHOTOS_PATTERN = r"^\d{1,18}(,\d{1,18}){0,19}$"


@dataclass(frozen=True)
class Found:
    """What a search found, before the view's tab and facets hold anything back (`web.search`)."""

    ranked: list[int]
    """Best first; photographs of the view that are not here come after them."""
    near: list[int] | None
    """Those by likeness; None: likeness took no part, and the words alone say what belongs."""
    words: Literal["or", "and", "no"]
    """A photograph that holds the words belongs as well, must hold them too, or they are part of the likeness."""
    note: str | None = None
    """Why likeness took no part, for the person who searches."""


_OF_THE_SEARCH = ("q", "like", "unlike", "minus", "toward")


class GalleryQuery(BaseModel):
    """One view: a tab, facets, a search, an order. Absent facets hold nothing back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: Tab = "all"
    sort: str | None = Field(default=None, pattern=SORT_PATTERN)
    """Absent: `-preference` once a taste model exists, `-captured` before."""
    q: str | None = Field(default=None, max_length=200)
    """Words: in the name, in what the model saw, in a tag; with a text tower, also what looks like them."""
    like: str | None = Field(default=None, pattern=_PHOTOS_PATTERN)
    """Ids of photographs, comma-separated: those that look like them, nearest first."""
    unlike: str | None = Field(default=None, pattern=_PHOTOS_PATTERN)
    """Ids of photographs to keep away from."""
    minus: str | None = Field(default=None, max_length=200)
    """Words, comma-separated: photographs that hold one are left out; with a text tower what looks so goes last."""
    toward: Toward | None = None
    """What is found moves up by a score: `focus`, `exposure` or `preference`."""
    project: str | None = Field(default=None, max_length=200)
    folder: str | None = Field(default=None, max_length=4096)
    """Absolute path; photos below it are included. Nothing is looked up on the disk."""
    import_id: int | None = Field(default=None, alias="import")
    versions: Literal["front"] | None = None
    """`front`: of a stack of versions only the one in front."""
    stack: int | None = None
    """The photo in front of a stack: all of that stack."""
    camera: str | None = Field(default=None, max_length=200)
    lens: str | None = Field(default=None, max_length=200)
    type: str | None = Field(default=None, max_length=50)
    tag: str | None = Field(default=None, max_length=100)
    min_preference: float | None = None
    max_preference: float | None = None
    min_vibe: float | None = None
    max_vibe: float | None = None
    min_rating: float | None = None
    max_rating: float | None = None
    min_technical: float | None = None
    max_technical: float | None = None
    min_sharpness: float | None = None
    max_sharpness: float | None = None
    min_exposure: float | None = None
    max_exposure: float | None = None
    min_focus: float | None = None
    max_focus: float | None = None

    _found: Found | None = PrivateAttr(default=None)

    @property
    def found(self) -> Found | None:
        """What the search found; None where there is none, or where nobody searched yet."""
        return self._found

    def with_found(self, found: Found) -> Self:
        """The same view, narrowed to what the search found. The view without a facet keeps it."""
        copy = self.model_copy()
        copy._found = found
        return copy

    def searches(self) -> bool:
        """Whether there is an order by relevance."""
        return bool((self.q or "").strip() or self.like or self.unlike)

    def search_alone(self) -> GalleryQuery:
        """The same search in the whole tab."""
        return GalleryQuery.model_validate(self.model_dump(include={"filter", "sort", *_OF_THE_SEARCH}))

    def only_tab(self) -> bool:
        """Whether nothing but the tab filters: then the counters know the total."""
        return not self.model_dump(exclude={"filter", "sort"}, exclude_none=True)


@dataclass
class Where:
    """Conditions with their values: `$n` in the text, the values apart."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        """The placeholder of `value`."""
        self.values.append(value)
        return f"${len(self.values)}"

    def add(self, condition: str) -> None:
        self.conditions.append(condition)

    def sql(self) -> str:
        return " AND ".join(self.conditions) or "true"


def conditions(query: GalleryQuery) -> Where:
    """The query's tab, facets and search, for `FROM gallery g`."""
    where = Where()
    bit = TAB_BITS[query.filter]
    if bit & RARE_BITS:
        where.add(f"g.tabs & {RARE_BITS} <> 0")  # the partial index's own words
    where.add(f"g.tabs & {bit} <> 0")
    for name, facet in _FACETS.items():
        value = getattr(query, name)
        if value is not None:
            facet(where, value)
    _searched(where, query)
    for name in NUMBERS:
        for prefix, sign in (("min", ">="), ("max", "<=")):
            value = getattr(query, f"{prefix}_{name}")
            if value is not None:
                where.add(f"g.{name} {sign} {where.bind(value)}::float8")
    return where


def _equals(column: str) -> Callable[[Where, Any], None]:
    return lambda where, value: where.add(f"g.{column} = {where.bind(value)}")


def _front(where: Where, _: str) -> None:
    where.add("(g.stack_front IS NULL OR g.stack_front = g.photo_id)")


def _project(where: Where, name: str) -> None:
    where.add(f"g.project_id = (SELECT id FROM projects WHERE lower(name) = lower({where.bind(name)}))")


def _tag(where: Where, tag: str) -> None:
    bound = where.bind(tag.strip().lower())
    where.add(f"g.photo_id IN (SELECT photo_id FROM photo_tags WHERE tag = {bound})")


def _folder(where: Where, path: str) -> None:
    """Below `path`, which may be a root, lie in one, or hold one. The sub-queries run once, not once a row."""
    bound = where.bind(path.rstrip("/")) + "::text || '/'"
    within = f"FROM library_roots WHERE starts_with({bound}, {_ROOT}) ORDER BY length(path) DESC LIMIT 1"
    where.add(
        f"""(g.root_id = ANY (ARRAY(SELECT id FROM library_roots WHERE starts_with({_ROOT}, {bound})))
             OR g.root_id = (SELECT id {within})
                AND starts_with(g.folder || '/', (SELECT substr({bound}, length({_ROOT}) + 1) {within})))"""
    )


_ROOT = "rtrim(path, '/') || '/'"


def _searched(where: Where, query: GalleryQuery) -> None:
    words = (query.q or "").strip()
    found = query.found
    near = found.near if found is not None else None
    if near is None:
        if words:
            where.add(_holds(where, words))
        return
    belongs = f"g.photo_id = ANY ({where.bind(near)}::bigint[])"
    if words and found is not None and found.words != "no":
        belongs = f"({belongs} {found.words.upper()} {_holds(where, words)})"
    where.add(belongs)


def _holds(where: Where, words: str) -> str:
    """Part of the file name, or words of what the model saw, or of a tag."""
    escaped = words.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"(g.name LIKE {where.bind(f'%{escaped}%')} OR {_says(where, words)})"


def _says(where: Where, words: str) -> str:
    said, tag = where.bind(words), where.bind(words.lower())
    return f"""(g.photo_id IN (SELECT photo_id FROM photo_metadata
                               WHERE words @@ websearch_to_tsquery('english', {said}))
             OR g.photo_id IN (SELECT photo_id FROM photo_tags
                               WHERE to_tsvector('english', tag) @@ websearch_to_tsquery('english', {said})
                               UNION ALL SELECT photo_id FROM photo_tags WHERE tag = {tag}))"""


def _without(where: Where, minus: str) -> None:
    """Names are not looked at: a file called `people.jpg` need not show any."""
    for words in phrases(minus):
        where.add(f"NOT {_says(where, words)}")


def phrases(text: str | None) -> list[str]:
    """The parts between the commas, in order, each once."""
    parts = (part.strip() for part in (text or "").split(","))
    return list(dict.fromkeys(part for part in parts if part))


def photo_ids(text: str | None) -> list[int]:
    """The ids of `like` and `unlike`, in order, each once."""
    return list(dict.fromkeys(int(part) for part in (text or "").split(",") if part))


_FACETS: dict[str, Callable[[Where, Any], None]] = {
    "import_id": _equals("import_id"),
    "versions": _front,
    "stack": _equals("stack_front"),
    "camera": _equals("camera"),
    "lens": _equals("lens"),
    "type": _equals("content_type"),
    "project": _project,
    "folder": _folder,
    "tag": _tag,
    "minus": _without,
}
