"""The compiled core of trading bots: market events in, a decision with its reasons out."""
