"""Argo's expression languages, over plain data, bounded in time and memory. Pure.

In: texts from a workflow and a mapping of variables (dotted names, as in Argo's variables.md, to text or JSON values).
Out: text, a value or a verdict, or errors.ExpressionError with Argo's message.
"""
