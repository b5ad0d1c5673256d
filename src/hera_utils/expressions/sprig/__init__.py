"""sprig 3.3 as Argo exposes it in expressions: `sprig.replace("a", "b", text)`. Pure.

In: evaluated arguments. Out: a value, or ExpressionError. Open registry.py first: it collects the functions of texts.py, lists.py,
defaults.py, numbers.py, paths.py and dates.py; string_cases.py and semver.py are the libraries that sprig uses.
"""
