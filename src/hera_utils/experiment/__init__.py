"""What a researcher describes: inputs, layout, environment, and the experiment that consists of them. No I/O.

In: plain Python values. Out: an `Experiment` that the execution engine runs on any platform.
"""
