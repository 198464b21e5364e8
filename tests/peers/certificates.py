"""Certificates for tests: a small authority made with the openssl program, and what it issues."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.peers.processes import program, run

_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_CONFIGURATION = """
[ca]
default_ca = authority
[authority]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = supplied
"""


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256, as openssl prints it."""
        code, output = run([program("openssl"), "x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256"])
        assert code == 0, output
        return output.strip().partition("=")[2]


class Authority:
    """Issues certificates; `certificate` is what those must trust who trust it."""

    def __init__(self, folder: Path, name: str = "Exampleshire Network") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate, self._key = folder / "authority.pem", folder / "authority.key"
        (folder / "index.txt").touch()
        (folder / "ca.cnf").write_text(_CONFIGURATION.format(folder=folder))
        self._openssl(
            ["req", "-x509", *_CURVE, "-keyout", self._key, "-out", self.certificate, "-days", "3650"],
            ["-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign"],
        )

    def issue(
        self,
        name: str,
        alternative: str | None = None,
        *,
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=365),
        use: str = "serverAuth,clientAuth",
        key_arguments: Sequence[str] = _CURVE,
    ) -> Identity:
        """A certificate for the common name; its alternative name is `DNS:<name>.example` unless given."""
        key, request, certificate, more = (self._folder / f"{name}.{kind}" for kind in ("key", "csr", "pem", "ext"))
        more.write_text(
            f"[v]\nsubjectAltName = {alternative or f'DNS:{name.lower()}.example'}\nextendedKeyUsage = {use}\n"
        )
        self._openssl(["req", "-new", *key_arguments, "-keyout", key, "-out", request, "-subj", f"/CN={name}"])
        now = datetime.now(UTC)
        self._openssl(
            ["ca", "-batch", "-notext", "-config", self._folder / "ca.cnf", "-in", request, "-out", certificate],
            ["-cert", self.certificate, "-keyfile", self._key, "-extfile", more, "-extensions", "v"],
            ["-startdate", f"{now + begins:%Y%m%d%H%M%SZ}", "-enddate", f"{now + ends:%Y%m%d%H%M%SZ}"],
        )
        return Identity(certificate, key)

    def _openssl(self, *arguments: Sequence[str | Path]) -> None:
        code, output = run([program("openssl"), *(argument for part in arguments for argument in part)])
        assert code == 0, output
