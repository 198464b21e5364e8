"""The RIS of the tests: a real MLLP receiver that answers AA, AE or AR, says nothing, hangs up, or is off."""

from readacross.demo.ris import END, START, Behaviour, MllpRis, acknowledgement

__all__ = ["END", "START", "Behaviour", "MllpRis", "acknowledgement"]
