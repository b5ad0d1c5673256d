"""Argo's expression languages, over plain data, bounded in time and memory. Pure.

In: texts from a workflow and a mapping of variables (dotted names, as in Argo's variables.md, to text or JSON values).
Out: text, a value or a boolean, or errors.ExpressionError with Argo's message. Open tags.py first; each language is a package: expr/
(`{{=…}}`), govaluate/ (`when`), sprig/ (functions), jsonpath/. The other files have what they share: Go's values, texts and times.
"""
