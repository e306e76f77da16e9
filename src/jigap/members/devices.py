"""Known devices: where a member has signed in before.

A sign-in that succeeds leaves a random token on the device; here there is only its hash. It opens
nothing. All it does is that guesses made with it count by themselves: however many strangers guess
at a member's password, the member still signs in at home. A token of somebody else, or of nobody,
is no token.
"""

from sqlalchemy import Connection, delete, insert, select, update

from jigap import entropy
from jigap.members.sessions import token_hash
from jigap.members.tables import devices

DEVICES_MAX = 20
#: How long a browser keeps it: as long as browsers keep anything.
KEPT_S = 400 * 24 * 3600


def add(connection: Connection, member_id: str, now_ms: int) -> str:
    """A token for a device that is known from now on; of very many the longest unused goes."""
    token = entropy.new_token()
    connection.execute(
        insert(devices).values(
            token_hash=token_hash(token),
            member_id=member_id,
            failures=0,
            retry_at_ms=0,
            created_ms=now_ms,
            used_ms=now_ms,
        )
    )
    kept = (
        select(devices.c.token_hash)
        .where(devices.c.member_id == member_id)
        .order_by(devices.c.used_ms.desc(), devices.c.token_hash)
        .limit(DEVICES_MAX)
    )
    connection.execute(
        delete(devices).where(devices.c.member_id == member_id, devices.c.token_hash.not_in(kept))
    )
    return token


def see(connection: Connection, hash_: bytes, now_ms: int) -> None:
    """A known device was used to sign in."""
    connection.execute(update(devices).where(devices.c.token_hash == hash_).values(used_ms=now_ms))
