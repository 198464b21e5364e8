"""The DICOM upper layer (PS3.8) and the DIMSE message layer (PS3.7) as a protocol without I/O: bytes in, events out.

Rules of the package:

1. Nothing here reads a socket, a clock or a file. Time enters as `artim_expired()`, bytes as `receive_data()`.
2. No byte that a peer sends raises: it becomes an event, or the A-ABORT that PS3.8 asks for.
3. A declared length is never an allocation: data-set fragments are handed on as views of the caller's own buffer, and
   only association PDUs, command sets and split headers are ever kept, each within a fixed bound.

    state_machine      Table 9-10, as tables
    pdu_decoder        bytes → PDUs and P-DATA fragments
    association_pdus   A-ASSOCIATE-RQ/AC/RJ ↔ values    (presentation_contexts, user_information)
    negotiation        what an acceptor answers, what a requester may use
    events             what comes out
    provider           UpperLayerProvider: decoder + state machine
    command_set        DIMSE command sets ↔ values
    dimse_provider     DimseProvider: messages over the upper layer
"""
