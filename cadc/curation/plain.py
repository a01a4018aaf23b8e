"""Tables as JSON values."""

import numpy as np
import pandas as pd


def plain_records(table: pd.DataFrame) -> list[dict[str, object]]:
    """One dictionary per row: numpy numbers become Python's, NaN and infinities None."""
    columns = {str(name): [_value(cell) for cell in table[name]] for name in table.columns}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _value(cell: object) -> object:
    cell = cell.item() if isinstance(cell, np.generic) else cell
    return None if isinstance(cell, float) and not np.isfinite(cell) else cell
