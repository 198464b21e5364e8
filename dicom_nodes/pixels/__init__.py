"""The same image in another transfer syntax, made in processes that may die; see ADR 035."""
