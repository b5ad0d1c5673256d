"""What a researcher describes: inputs, layout, environment, and the experiment they make. No I/O.

In: plain Python values. Out: an `Experiment` that the execution engine realizes on any platform.
"""
