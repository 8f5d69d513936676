"""Streaming readers of tables that people send: VOTable, FITS, CSV, TSV, Parquet and Arrow streams.

:func:`open_table` reads what a table says of its columns and gives its rows as record batches, in constant memory.
Whatever is wrong with a table is a Fault that names its row (from 1) and column.
"""

from vo.tables.reading.open import open_table
from vo.tables.reading.table import IncomingTable, ReadLimits

__all__ = ["IncomingTable", "ReadLimits", "open_table"]
