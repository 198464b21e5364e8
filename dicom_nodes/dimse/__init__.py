"""The DICOM wire of a node: who may call, what is answered, and how partners are called.

`acceptor` and `requester` join sockets to the protocol of `dicom_nodes.upper_layer`; handlers and SCUs speak the
neutral words of `messages.py` and know neither (ADR 032).
"""
