"""The results of the points and tasks of a run, as tables.

In: the workflow documents of a run and the points of its record (`runs/`). Out: `Results`, a sequence of its tasks,
written as CSV, JSON, Parquet and frames of pandas and polars; the artifacts of a run; the comparison of two runs.

Begin with results.py. task_results.py and point_results.py build the rows, tables.py and columns.py the typed columns; exports.py,
terminal_table.py and notebook.py write them; secrecy.py masks or refuses secrets wherever a run is written down.
"""
