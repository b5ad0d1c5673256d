"""expr-lang 1.17 with Argo's functions: `{{=…}}`, retry, hook and `valueFrom` expressions. Pure.

In: a text and a mapping of variables. Out: a value, or ExpressionError with expr-lang's message. Open program.py first: it runs the stages
lexer.py (tokens), parser.py (tree, nodes.py), checker.py (types, types.py and builtin_signatures.py), optimizer.py and evaluator.py
(with functions.py). The stages are those of the original, as are the results that look odd.
"""
