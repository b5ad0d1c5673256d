"""A diamond in plain Hera: nothing here knows of hera_utils.

hera-utils run examples/plain_hera.py
"""

from hera.workflows import DAG, Workflow, script


@script(image="python:3.11")
def number(value: int):
    print(value)


@script(image="python:3.11")
def square(value: int):
    print(value * value)


@script(image="python:3.11")
def add(left: int, right: int):
    print(left + right)


with Workflow(generate_name="plain-hera-", entrypoint="diamond") as w, DAG(name="diamond"):
    three = number(name="three", arguments={"value": 3})
    four = number(name="four", arguments={"value": 4})
    nine = square(name="nine", arguments={"value": three.result})
    sixteen = square(name="sixteen", arguments={"value": four.result})
    total = add(name="total", arguments={"left": nine.result, "right": sixteen.result})
    three >> nine
    four >> sixteen
    [nine, sixteen] >> total

w.create()
