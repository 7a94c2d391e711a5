"""How schools are set up."""

from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.gateway.tables import SetupRow


async def find_setup(session: AsyncSession, scope: Scope) -> SetupRow | None:
    """The school's set-up, None where none was written."""
    return await session.get(SetupRow, scope.school)
