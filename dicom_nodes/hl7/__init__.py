"""HL7 v2 over MLLP: reports from readers' systems come in, reports to the trust's RIS go out."""
