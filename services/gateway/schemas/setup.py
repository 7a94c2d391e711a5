"""The set-up of a school as callers see it."""

from datetime import datetime

from libs.common.http import View
from services.gateway.domain.setup import Setup


class SetupView(View):
    """A school's set-up, who changed it last and when; nobody yet: it is empty."""

    content: Setup
    changed_at: datetime | None = None
    changed_by: str | None = None
