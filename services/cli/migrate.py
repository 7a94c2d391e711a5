"""`zhengai migrate`: the one command that works on the databases themselves."""

from sqlalchemy.exc import OperationalError

from libs.common import migrate as migrations
from libs.common.settings import Settings
from services.app import load
from services.cli import Failure


def migrate() -> list[str]:
    """Upgrade the database of each service that ZHENGAI_SERVICES names; return their names.

    Raises Failure where one cannot be reached, SystemExit where one is newer than this code.
    """
    settings = Settings.load()
    settings.home.mkdir(parents=True, exist_ok=True)
    for name in settings.services:
        try:
            migrations.upgrade(load(name), settings.database_for(name))
        except OperationalError as error:
            raise Failure(f"the database of {name} cannot be reached: {' '.join(str(error.orig).split())}") from error
    return list(settings.services)
