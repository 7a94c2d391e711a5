"""Write the next Alembic revision of one service: the difference between its tables and its migrations.

usage: python -m tests.contract.write_migration SERVICE MESSAGE
"""

import sys
import tempfile
from pathlib import Path

from sqlalchemy import create_engine

from libs.common import migrate, sqlite
from services.app import load


def main(name: str, message: str) -> None:
    from alembic import command

    service = load(name)
    service.migrations.mkdir(exist_ok=True)
    numbers = sorted(path.name[:4] for path in service.migrations.glob("[0-9]*.py"))
    number = f"{int(numbers[-1]) + 1 if numbers else 1:04}"
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder)}/empty.db"
        if numbers:
            migrate.upgrade(service, url)
        engine = create_engine(f"sqlite:///{Path(folder)}/empty.db", module=sqlite.pysqlite3)
        with engine.begin() as connection:
            config = migrate.configuration(service)
            config.attributes["connection"] = connection
            config.attributes["service"] = service
            command.revision(config, message, autogenerate=True, rev_id=number, version_path=str(service.migrations))
        engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2]:
        sys.exit('usage: make migration S=planning M="what changes"')
    main(sys.argv[1], sys.argv[2])
