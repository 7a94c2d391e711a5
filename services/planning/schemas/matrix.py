"""The matrix of vertical systems and levels as people see it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from libs.common.http import View
from services.planning.domain.matrix import Cell, Layer, System, What


class CellView(View):
    """What there is at a level: goals and standards in force, tasks and measures that are not over, warnings that stand; and what of it
    (but warnings) there is none of. `layer` None: what is of no level.
    """

    layer: Layer | None
    goals: int
    standards: int
    tasks: int
    measures: int
    warnings: int
    lacks: list[What]


class RowView(View):
    """A vertical system with its cells; `system` None: what says of no system of this axis that it belongs to it, and lacks nothing."""

    system: str | None
    name: str | None
    cells: list[CellView]


class MatrixView(View):
    """The matrix of one axis of systems, of those that the school's framework has; None where it has none."""

    axis: str | None
    axes: list[str]
    rows: list[RowView]


def matrix_view(axis: str | None, axes: Sequence[str], systems: Sequence[System], cells: Sequence[Cell]) -> MatrixView:
    names = {system.code: system.name for system in systems}
    rows = [
        RowView(system=code, name=names.get(code or ""), cells=[_cell(cell) for cell in own])
        for code, own in groupby(cells, key=lambda cell: cell.system)
    ]
    return MatrixView(axis=axis, axes=list(axes), rows=rows)


def _cell(cell: Cell) -> CellView:
    lacks = [] if cell.system is None or cell.layer is None else cell.lacks
    return CellView.model_validate({**cell.has, "layer": cell.layer, "lacks": lacks})
