"""backtesting.py as a subject of the laboratory (`parity/subject.py`)."""
