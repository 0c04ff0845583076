"""What a converted photograph costs Postgres: tags without a look at the photo row, the read model updated in place."""

from __future__ import annotations

from web.sql_script import run_sql_beside

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("The read model is not taken back; restore a backup instead.")
