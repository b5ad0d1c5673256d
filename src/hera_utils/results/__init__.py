"""What the points and tasks of a run gave, as tables.

In: the workflow documents of a run and the points of its record (`runs/`). Out: `Results`, as a sequence its tasks, which gives CSV,
JSON, Parquet and the frames of pandas and polars; the artifacts of a run; two runs compared.

Begin with results.py. task_results.py and point_results.py build the rows, tables.py and columns.py the typed columns; formats.py,
terminal_table.py and notebook.py write them; secrecy.py masks or refuses secrets wherever a run is written down.
"""
