"""Why a model said what it said of one row, off the hot path: what each column put in, in the model's own scores.

    from smartcore.learn import explain

    told = explain.decision("BTCUSDT-17f...-2a", "bot.journal", "trees.onnx")
    print(told); explain.draw(told, "why.png")

| method | of what | what it is |
| --- | --- | --- |
| ``shap`` | trees, by their file or their library | Shapley values, exact: they sum to the score |
| ``sampled`` | any function of a row | Shapley values by permutations, with their standard errors |
| ``lime`` | any function of a row | a linear model around the row, averaged over seeds, and how stable it is |
| ``gradients`` | nets | integrated gradients over the rows the net read |

An explanation is of the model, not of the market: it says what moved this score, not what moves the price.
"""

from smartcore.learn.explain.decision import METHODS, decision
from smartcore.learn.explain.explanation import Explanation, draw
from smartcore.learn.explain.gradients import gradients
from smartcore.learn.explain.lime import lime
from smartcore.learn.explain.shapley import sampled, shap

__all__ = ["METHODS", "Explanation", "decision", "draw", "gradients", "lime", "sampled", "shap"]
