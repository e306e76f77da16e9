"""The words of addresses: what may stand in a path and in a query.

Declared once, checked by the framework, described by ``describe``.
"""

from typing import Annotated

from litestar.params import PathParameter, QueryParameter

from jigap.web.shapes import NO_CONTROL

Symbol = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="Symbol or contract id.")
]
MemberRef = Annotated[
    str,
    PathParameter(
        max_length=64, pattern=NO_CONTROL, description="A member id, or an id that begins with mb_."
    ),
]
TransferId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with tr_.")
]
OperationId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with op_.")
]
FavouriteId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with fv_.")
]
CheckId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with rn_.")
]
ResetId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with pr_.")
]
SessionId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with se_.")
]
ApplicationId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with sa_.")
]
FactorId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with fa_.")
]
RecoveryId = Annotated[
    str, PathParameter(max_length=64, pattern=NO_CONTROL, description="An id beginning with rv_.")
]
TransactionHash = Annotated[
    str,
    PathParameter(
        max_length=100, pattern=NO_CONTROL, description="Transaction hash, hex with or without 0x."
    ),
]
BlockNumber = Annotated[
    str, PathParameter(max_length=30, pattern=NO_CONTROL, description="Block number, or `latest`.")
]
SymIdText = Annotated[
    str,
    PathParameter(max_length=60, pattern=NO_CONTROL, description="SymID, hex with or without 0x."),
]

Cursor = Annotated[
    str | None,
    QueryParameter(max_length=80, pattern=NO_CONTROL, description="`next` of the page before."),
]
Limit = Annotated[
    int, QueryParameter(ge=1, le=1_000_000, description="Rows in the page; capped at 200.")
]
Phone = Annotated[
    str | None,
    QueryParameter(
        max_length=40, description="In any written form; Korean without a country code."
    ),
]
Login = Annotated[
    str | None,
    QueryParameter(max_length=64, pattern=NO_CONTROL, description="The whole member id."),
]
PersonName = Annotated[
    str | None,
    QueryParameter(
        max_length=200, pattern=NO_CONTROL, description="The whole name, together with last4."
    ),
]
Last4 = Annotated[
    str | None,
    QueryParameter(
        max_length=20, pattern=NO_CONTROL, description="The last four digits of the phone number."
    ),
]
Account = Annotated[
    str,
    QueryParameter(
        max_length=64,
        pattern=NO_CONTROL,
        description="A member id, `treasury`, `token_owner`, or a registered SymID.",
    ),
]
