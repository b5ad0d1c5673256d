"""`jsonpath(text, path)`: evilmonkeyinc/jsonpath 0.8.1 as Argo uses it. Pure.

In: JSON data and a path. Out: what the path selects, or ExpressionError. Open query.py first; script.py evaluates `[?(…)]` and `[(…)]`.
"""
