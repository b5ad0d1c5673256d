"""`when`: Knetic/govaluate as Argo uses it, after the tags are replaced. Pure.

In: the text of a `when`. Out: true or false, or ExpressionError with govaluate's message.
Open condition.py first; tokens.py is its lexer.
"""
