"""One module an engine: the same works as an expert user of that engine would write them.

`WORKS` names them. Each takes the market (arrays), makes what the engine wants as input before the clock starts, and returns a function
that does everything that is measured: the run, and its orders, trades, equity and five metrics.
"""
