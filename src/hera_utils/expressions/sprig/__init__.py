"""sprig 3.3 as Argo exposes it in expressions: `sprig.replace("a", "b", text)`. Pure.

In: evaluated arguments. Out: a value, or ExpressionError. Open registry.py first: it names each function and where it is: texts.py,
lists.py, numbers.py; string_cases.py and semver.py are the libraries that sprig uses.
"""
