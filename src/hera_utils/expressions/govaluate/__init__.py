"""`when`: Knetic/govaluate as Argo uses it, after the tags were replaced. Pure.

In: the text of a `when`. Out: whether it holds, or ExpressionError with govaluate's message.
Open condition.py first; tokens.py is its lexer.
"""
