"""The demo people, their token and their history: made over the real API, the same at every start.

Every write carries a fixed Idempotency-Key, so a second run finds everything done. The passwords
and passphrases are printed for everybody to read: they are for trying things out and nothing else.
"""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from jigap.app import App
from jigap.cli.api import Api, ApiRefused, Person
from jigap.members import (
    LoginTaken,
    by_login,
    create_operator,
    enrol,
    fresh_recovery_codes,
    has_factor,
)

TOKEN_NAME = "Demo Point"
TOKEN_SYMBOL = "DEMO"
SUPPLY = "1000000"
SHOP_NAME = "서연이네 가게"


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody to log in as."""

    member_id: str
    password: str
    passphrase: str
    role: str
    phone: str
    name: str
    totp_secret: str | None = None

    def shown(self) -> dict[str, str | None]:
        """As the ready line says it."""
        return {key: value for key, value in asdict(self).items() if key != "name"}


PAYER = DemoPerson(
    "demo-payer", "demo-payer-password", "demo payer passphrase", "payer", "010-2000-0001", "김민수"
)
SELLER = DemoPerson(
    "demo-seller", "demo-seller-password", "demo seller passphrase", "seller", "010-2000-0002",
    "이서연",
)  # fmt: skip
OPERATOR = DemoPerson(
    "demo-operator", "demo-operator-password", "demo operator passphrase", "operator",
    "010-2000-0003", "박지훈", "JIGAPDEMOOPERATORSECRETFORALL234",
)  # fmt: skip
PEOPLE = (PAYER, SELLER, OPERATOR)

#: Amount and memo of the payments in the history, payer to seller but for the last.
HISTORY = (("12000", "coffee beans"), ("3500", "bread"), ("48000.5", "chairs"), ("500", "change"))


async def ensure_operator(app: App, person: DemoPerson) -> str:
    """The one thing no API can do: make the first operator, with a second factor.

    Answers a fresh recovery code to sign in with, so that the code which the authenticator app
    shows now stays good for whoever wants to try it.
    """
    password_hash = await app.passwords.hash(person.password)
    return await app.database.write(_ensure_operator, app, person, password_hash)


def _ensure_operator(
    connection: Connection, app: App, person: DemoPerson, password_hash: str
) -> str:
    now_ms = app.clock.now_ms()
    found = by_login(connection, person.member_id)
    id_ = (
        found.id
        if found is not None
        else create_operator(
            connection,
            ring=app.ring,
            login=person.member_id,
            password_hash=password_hash,
            now_ms=now_ms,
        )
    )
    if has_factor(connection, id_):
        return fresh_recovery_codes(connection, app.ring, id_)[0]
    assert person.totp_secret is not None
    return enrol(
        connection, ring=app.ring, member_id=id_, secret=person.totp_secret, now_ms=now_ms
    )[0]


async def seed(url: str, operator_otp: str) -> None:
    """Make what is missing of people, wallets, token and history."""
    async with Api(url) as api:
        operator = await api.sign_in(OPERATOR.member_id, OPERATOR.password, operator_otp)
        for person in (PAYER, SELLER):
            await _ensure_member(api, person)
        for person in PEOPLE:
            await operator.verify(person.member_id, person.name, person.phone)
        signed_in = {
            one.role: await api.sign_in(one.member_id, one.password) for one in (PAYER, SELLER)
        }
        signed_in["operator"] = operator
        for person in PEOPLE:
            await _ensure_wallet(signed_in[person.role], person)
        await _ensure_seller(signed_in["seller"], operator)
        await operator.create_token(TOKEN_NAME, TOKEN_SYMBOL, "0", key="demo-create")
        await operator.mint(TOKEN_SYMBOL, PAYER.member_id, SUPPLY, key="demo-issue")
        await _pay_history(signed_in["payer"], signed_in["seller"])


async def _ensure_member(api: Api, person: DemoPerson) -> None:
    try:
        await api.sign_up(person.member_id, person.password, person.name, person.phone)
    except ApiRefused as refused:
        if refused.problem_code != LoginTaken.code:
            raise


async def _ensure_wallet(person: Person, details: DemoPerson) -> None:
    try:
        await person.make_wallet(details.passphrase)
    except ApiRefused as refused:
        if refused.problem_code != "wallet_exists":
            raise
        await person.wallet_active()


async def _ensure_seller(person: Person, operator: Person) -> None:
    """Have the demo's seller apply, and the operator accept."""
    present = await person.call("GET", "me/seller")
    if present["seller"]:
        return
    application = present["application"]
    if application is None or application["state"] != "applied":
        asked = await person.call("POST", "me/seller", {"shop_name": SHOP_NAME})
        application = asked["application"]
    await operator.call("POST", f"operator/sellers/{application['id']}/accept")


async def _pay_history(payer: Person, seller: Person) -> None:
    to_seller = await payer.recipient(SELLER.phone)
    to_payer = await seller.recipient(PAYER.phone)
    for number, (amount, memo) in enumerate(HISTORY, 1):
        back = number == len(HISTORY)
        await (seller if back else payer).pay(
            (to_payer if back else to_seller)["recipient_id"],
            TOKEN_SYMBOL,
            amount,
            (SELLER if back else PAYER).passphrase,
            key=f"demo-history-{number}",
            memo=memo,
        )
