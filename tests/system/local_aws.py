"""Starts ministack, with what AWS does and ministack does not.

- Fn::Split in the conditions of a template.
- An HTTP/2 connection of any number of requests: after a thousand, hypercorn breaks it with all that is under way on it, so
  that clients send again what was done already.
- Answers at any time: after some thousand requests, Python's collection of all objects stops it for more than a second, which
  is as long as some functions wait for their queue. What does not live long is collected nevertheless.
- The log of an invocation with all that the function printed: on a busy machine, ministack reads it later than the 50 ms that
  it waits, and adds it to the log of the next invocation, if there is one.
"""

import gc
import sys

from hypercorn.config import Config
from ministack.core.lambda_runtime import Worker
from ministack.services.cloudformation import engine

young, middle, _ = gc.get_threshold()
gc.set_threshold(young, middle, 1_000_000)

Config.keep_alive_max_requests = sys.maxsize
# In seconds: for the first line, after the last one, and for all of them.
Worker._drain_stderr_bounded.__defaults__ = (0.5, 0.02, 2.0)
evaluate = engine._evaluate_conditions


def split(node, parameters):
    """The expression with the lists in the place of Fn::Split."""
    if isinstance(node, list):
        return [split(each, parameters) for each in node]
    if not isinstance(node, dict):
        return node
    if "Fn::Split" in node:
        delimiter, text = node["Fn::Split"]
        return parameters[text["Ref"]]["Value"].split(delimiter)
    return {name: split(value, parameters) for name, value in node.items()}


def evaluate_with_split(template, parameters):
    return evaluate(template | {"Conditions": split(template.get("Conditions", {}), parameters)}, parameters)


# Modules that have imported it by its name have it as their own.
for module in list(sys.modules.values()):
    if getattr(module, "_evaluate_conditions", None) is evaluate:
        module._evaluate_conditions = evaluate_with_split

from ministack.app import main  # noqa: E402

main()
