"""A SymID for a key: the embedded certificate authority, the HTTP ones, and a simulated one.

``simulated`` is a program of its own (``python -m jigap.ca.simulated``) that speaks both HTTP APIs,
for development, tests and faults.
"""

from jigap.ca.authority import (
    AlreadyIssued,
    Answer,
    CertificateAuthority,
    CitizenRequest,
    InDoubt,
    Issued,
    RefusedByCa,
)
from jigap.ca.embedded import EmbeddedCa
from jigap.ca.http import CaSettingInvalid, CitizenInfoCa, PartnerCa

__all__ = [
    "AlreadyIssued",
    "Answer",
    "CaSettingInvalid",
    "CertificateAuthority",
    "CitizenInfoCa",
    "CitizenRequest",
    "EmbeddedCa",
    "InDoubt",
    "Issued",
    "PartnerCa",
    "RefusedByCa",
]
