"""The archive: library, photographs, decisions, jobs, the read model and its counters."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL stands beside this file, one statement between two `--;;` lines."""
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split("\n--;;\n"):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    raise NotImplementedError("The first migration is not taken back; restore a backup instead.")
