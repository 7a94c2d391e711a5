"""The base of planning's rows."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from libs.common.database import NAMES, TYPES


class Table(DeclarativeBase):
    """Base of this service's tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = TYPES
