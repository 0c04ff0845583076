"""Migrations in SQL: the script stands beside the revision, its statements divided by lines of `--;;`."""

from __future__ import annotations

from pathlib import Path

from alembic import op


def run_sql_beside(revision: str) -> None:
    """Runs the `.sql` file of the same name as the revision's own file (its `__file__`)."""
    for statement in Path(revision).with_suffix(".sql").read_text(encoding="utf-8").split("\n--;;\n"):
        op.get_bind().exec_driver_sql(statement)
