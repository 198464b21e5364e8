"""Why TLS with a partner came to nothing, in words an administrator can act on; OpenSSL's own where we have none."""

import ssl

_OF_THE_CERTIFICATE = {
    9: "its certificate is not valid yet; is a clock wrong?",
    10: "its certificate has expired",
    18: "its certificate is signed by itself and not among the trusted ones",
    19: "its certificate comes from an authority that is not among the trusted ones",
    20: "its certificate comes from an authority that is not among the trusted ones",
    21: "its certificate comes from an authority that is not among the trusted ones",
    23: "its certificate is revoked",
    26: "its certificate is not meant for this use (extended key usage)",
    66: "its certificate has a key that is too short",
    67: "its certificate's authority has a key that is too short",
    68: "its certificate is signed with a digest that is too weak",
}
_NO_TLS = "it does not speak TLS"
_TOO_OLD = "it offers neither TLS 1.2 nor 1.3"
_OTHER_SUITES = "no cipher suite in common: ECDHE with AES-GCM or ChaCha20 is needed"
_OF_THE_HANDSHAKE = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "HTTPS_PROXY_REQUEST": _NO_TLS,
    "UNKNOWN_PROTOCOL": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "VERSION_TOO_LOW": _TOO_OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": "it takes neither TLS 1.2 nor 1.3",
    "NO_SHARED_CIPHER": _OTHER_SUITES,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": f"it refuses the handshake; {_OTHER_SUITES}, and a certificate of ours",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for our certificate and got none",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the authority of our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it takes our certificate for a bad one",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it takes no certificate of our kind",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it says that our certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "it denies access to our certificate",
    "TLSV1_ALERT_INTERNAL_ERROR": "it failed by itself (internal error)",
}


def tls_words(error: Exception) -> str:
    """What went wrong; holds nothing the partner sent but numbers and names of the protocol."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _OF_THE_CERTIFICATE.get(error.verify_code, f"its certificate does not verify: {error.verify_message}")
    reason = str(getattr(error, "reason", None) or "")
    return _OF_THE_HANDSHAKE.get(reason, f"TLS fails: {reason.replace('_', ' ').lower() or 'the connection is lost'}")
