"""A photograph's history in words: where it came from, what each stage did, what was decided, what it stands with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from web.database import Connection
from web.errors import RequestError

Line = tuple[datetime, str]

_PHOTO = """
SELECT p.*, r.path FROM photos p JOIN library_roots r ON r.id = p.root_id WHERE p.id = $1
"""
_VERSIONS = """
SELECT m.place, m.reason, count(*) OVER (PARTITION BY m.group_id) AS size, m.photo_id, g.stack_front,
       (SELECT found_at FROM version_search) AS at, p.rel_path
FROM version_members m LEFT JOIN gallery g ON g.photo_id = m.photo_id
LEFT JOIN photos p ON p.id = g.stack_front
WHERE m.group_id = (SELECT group_id FROM version_members WHERE photo_id = $1)
"""
_BURST = """
SELECT g.id, g.created_at AS at, g.intent, g.tie, m.keeper,
       (SELECT count(*) FROM burst_members o WHERE o.group_id = g.id) AS size
FROM burst_members m JOIN burst_groups g ON g.id = m.group_id WHERE m.photo_id = $1
"""
_WHY = {1: "the same pixels", 2: "the same name", 3: "the same instant", 4: "the same look"}
_BY = {"person": "you", "xmp": "another program's file", "import": "its import", "catalogue": "a catalogue"}
_XMP = {
    "stem": "its sidecar for Lightroom", "full": "its sidecar for darktable", "companion": "its JPEG's sidecar",
    "embedded": "the file itself",
}  # fmt: skip
_TOGETHER = {"bracket": "an exposure bracket", "focus_stack": "a focus stack", "panorama": "a panorama"}


@dataclass(frozen=True)
class _Of:
    connection: Connection
    photo: Any

    @property
    def id(self) -> int:
        return int(self.photo["id"])

    async def rows(self, sql: str) -> list[Any]:
        return list(await self.connection.fetch(sql, self.id))


async def history(connection: Connection, photo_id: int) -> list[Line]:
    """`(moment, what happened)`, oldest first; what it stands with now has the moment it was found. Raises
    RequestError 404."""
    photo = await connection.fetchrow(_PHOTO, photo_id)
    if photo is None:
        raise RequestError(404, f"There is no photograph {photo_id}.")
    of = _Of(connection, photo)
    lines = [line for part in _PARTS for line in await part(of)]
    return sorted(lines, key=lambda line: line[0])


async def _file(of: _Of) -> list[Line]:
    photo = of.photo
    chosen = f"import {photo['import_id']}" if photo["import_id"] else "an upload"
    lines = [
        (photo["inserted_at"], f"{photo['path']}/{photo['rel_path']} was chosen by {chosen}; it is {photo['status']}")
    ]
    if photo["missing_since"]:
        lines.append((photo["missing_since"], "its file was no longer found"))
    if photo["discarded_at"]:
        lines.append((photo["discarded_at"], "it was discarded; its decisions are kept"))
    for row in await of.rows(
        "SELECT r.path, l.rel_path FROM photo_locations l JOIN library_roots r ON r.id = l.root_id "
        "WHERE l.photo_id = $1 ORDER BY 1, 2"
    ):
        lines.append((datetime.now(UTC), f"the same picture lies at {row['path']}/{row['rel_path']} too"))
    return lines


async def _jobs(of: _Of) -> list[Line]:
    rows = await of.rows(
        "SELECT * FROM jobs WHERE subject_id = $1 AND stage IN ('convert', 'render', 'curate', 'embed')"
    )
    return [(job["finished_at"] or job["queued_at"] or job["available_at"], _job(job)) for job in rows]


def _job(job: Any) -> str:
    took = f" in {job['seconds']:.2f} s on {job['worker']}" if job["seconds"] is not None else ""
    tried = f", {job['attempts']} failed attempts" if job["attempts"] else ""
    claim = f", claim {job['claim_id']}" if job["claim_id"] else ""
    said = f": {job['error']['sentence']}" if job["error"] else ""
    return f"{job['stage']} is {job['status']}{took}, generation {job['generation']}{claim}{tried}{said}"


async def _failures(of: _Of) -> list[Line]:
    rows = await of.rows("SELECT * FROM error_logs WHERE photo_id = $1 ORDER BY id")
    return [(row["at"], f"{row['worker']}, attempt {row['attempt']}, {row['status']}: {row['reason']}") for row in rows]


async def _described(of: _Of) -> list[Line]:
    rows = await of.rows("SELECT subject, model, curated_at FROM photo_metadata WHERE photo_id = $1")
    return [(row["curated_at"], f"{row['model']} described it: {row['subject']}") for row in rows]


async def _decisions(of: _Of) -> list[Line]:
    rows = await of.rows("SELECT * FROM decision_events WHERE photo_id = $1 AND old <> new ORDER BY id")
    return [(row["at"], _decided(row)) for row in rows]


def _decided(row: Any) -> str:
    who, say = _BY.get(row["source"], row["source"]), _DECISIONS.get(row["field"])
    said = say(row) if say else f"changed {row['field']} from {row['old']} to {row['new']}"
    return f"{who} {said}{', undoing what was done before' if row['undoes'] else ''}"


def _either(yes: str, no: str) -> Callable[[Any], str]:
    return lambda row: yes if row["new"] else no


_DECISIONS: dict[str, Callable[[Any], str]] = {
    "rating": lambda row: f"gave it {_stars(row['new'])}" if row["new"] else "took its stars back",
    "manual_match": _either("picked it", "took the pick back"),
    "rejected": _either("rejected it", "took it back from the rejected"),
    "project": lambda row: _project(row["new"]),
    "tags_added": lambda row: f"tagged it {_list(row['new'])}",
    "tags_removed": lambda row: f"took the tags {_list(row['new'])} off",
    "apart": _either("split it from its versions", "put it back with its versions"),
    "copy_kept": _either("kept it although it is a copy", "left it among the copies"),
    "burst_front": lambda row: _burst_decided(row["new"], row["photo_id"]),
}


def _project(new: Any) -> str:
    name = new.get("name") if isinstance(new, dict) else new
    return f"put it into the project {name}" if name else "took it out of its project"


def _stars(n: int) -> str:
    return "1 star" if n == 1 else f"{n} stars"


def _list(tags: list[str] | None) -> str:
    return ", ".join(tags) if tags else "nothing"


def _burst_decided(front: int | None, photo_id: int) -> str:
    if front is None:
        return "took the decision about its burst back"
    if front == 0:
        return "kept every frame of its burst"
    return "put it in front of its burst" if front == photo_id else f"put it behind frame {front} of its burst"


async def _guessed(of: _Of) -> list[Line]:
    rows = await of.rows("SELECT score, version, at FROM taste_guesses WHERE photo_id = $1")
    return [
        (row["at"], f"before its first stars, taste model {row['version']} gave it a score of {row['score']}")
        for row in rows
        if row["score"] is not None
    ]


async def _synced(of: _Of) -> list[Line]:
    rows = await of.rows("SELECT place, said, at FROM xmp_synced WHERE photo_id = $1 ORDER BY at")
    return [(row["at"], f"{_place(row['place'])} and fineshyt agreed: {_agreed(row['said'])}") for row in rows]


def _place(place: str) -> str:
    """`place` is a role, or a folder of the person's choice, a colon and a role (`web.xmp_places`)."""
    folder, _, role = place.rpartition(":")
    return f"{_XMP.get(role, role)} in {folder}" if folder else _XMP.get(role, role)


def _agreed(said: int) -> str:
    return "rejected" if said < 0 else _stars(said) if said else "no stars"


async def _versions(of: _Of) -> list[Line]:
    rows = await of.rows(_VERSIONS)
    own = next((row for row in rows if row["photo_id"] == of.id), None)
    if own is None:
        return []
    others = own["size"] - 1
    text = f"it was found to be a version of {others} other {'photograph' if others == 1 else 'photographs'}"
    if own["reason"] in _WHY:
        text += f", by {_WHY[own['reason']]}"
    if own["stack_front"] == of.id:
        text += "; it stands in front of the stack"
    elif own["stack_front"]:
        text += f"; it stands behind {own['rel_path']}"
    return [(own["at"] or datetime.now(UTC), text)]


async def _burst(of: _Of) -> list[Line]:
    return [(row["at"], _in_burst(row)) for row in await of.rows(_BURST)]


def _in_burst(row: Any) -> str:
    if row["intent"]:
        return f"it is one of {row['size']} frames of {_TOGETHER[row['intent']]}"
    if row["tie"]:
        return f"it is one of {row['size']} frames of a burst; which is sharpest is too close to tell"
    return f"it is one of {row['size']} frames of a burst{'; it is the sharpest of them' if row['keeper'] else ''}"


_PARTS: tuple[Callable[[_Of], Awaitable[list[Line]]], ...] = (
    _file, _jobs, _failures, _described, _decisions, _guessed, _synced, _versions, _burst,
)  # fmt: skip
