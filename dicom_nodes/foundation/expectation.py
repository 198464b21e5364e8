"""What a validator of ours expected, said in words that hold nothing of the input.

Such words may go back to whoever sent the input, and into queues and logs, although the input may be patient data. Any
other `ValueError` may quote what it could not read, and its words stay inside.
"""


class Expectation(ValueError):
    """The words are one literal text: a test looks through the sources for anything else."""
