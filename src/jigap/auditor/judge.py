"""What is wrong between one mined transaction and our records of it. Pure."""

from dataclasses import dataclass

from jigap.chain.symid import to_hex
from jigap.lanes import State

SYM = "SYM"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two numbers or facts that should be one.

    ``check`` names the rule that is broken. ``token`` is the symbol to stop, ``SYM`` for all, or
    None if nobody's money here is concerned. ``subject`` is the id, hash or account it is about.
    """

    check: str
    token: str | None
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.check} {self.subject}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Moved:
    """What one transaction moves, or is said to move."""

    kind: str | None
    contract: bytes | None
    source: bytes | None
    target: bytes | None
    amount: int | None

    @property
    def is_cancel(self) -> bool:
        """Whether it is nothing, sent to oneself: what a cancelling transaction does."""
        return (self.kind, self.amount) == ("remit", 0) and self.source == self.target

    def __str__(self) -> str:
        if self.kind is None:
            return "nothing" if self.contract is None else f"nothing of {to_hex(self.contract)}"
        token = SYM if self.contract is None else to_hex(self.contract)
        return f"{self.kind} {self.amount} {token} {_side(self.source)}->{_side(self.target)}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The transaction we had signed for an account and a nonce, and what it was for."""

    hash: bytes
    cancel_hash: bytes
    state: str
    subject_id: str
    said: Moved | None  # None: the payment, refill or operation itself is not there


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction in a block, beside everything that our records say about it.

    ``service``: its sender is one of the platform's own accounts. ``member``: its sender, or a side
    of what it moved, is a member's account. ``noted``: what the row for movements without us says.
    """

    hash: bytes
    succeeded: bool
    moved: Moved
    token: str | None
    service: bool
    member: bool
    prepared: Prepared | None
    noted: Moved | None


def judge(mined: Mined) -> list[Difference]:
    """What is wrong between one mined transaction and our records of it."""
    prepared = mined.prepared
    if prepared is None:
        return _judge_foreign(mined)
    if mined.hash == prepared.hash:
        return _judge_prepared(mined, prepared)
    found = _expect_state(mined, prepared, State.VOID)
    return found if mined.hash == prepared.cancel_hash else found + _judge_foreign(mined)


def _judge_prepared(mined: Mined, prepared: Prepared) -> list[Difference]:
    found = _expect_state(mined, prepared, State.CONFIRMED if mined.succeeded else State.REFUSED)
    if prepared.said is None:
        return [*found, _difference("record_lost", mined, prepared.subject_id, "nothing")]
    if mined.succeeded and prepared.said != mined.moved:
        said = f"{prepared.said} in {prepared.subject_id}"
        found.append(_difference("record_differs", mined, str(mined.moved), said))
    return found


def _expect_state(mined: Mined, prepared: Prepared, state: State) -> list[Difference]:
    if prepared.state == state:
        return []
    said = f"{prepared.state} in {prepared.subject_id}"
    return [_difference("state_differs", mined, state, said)]


def _judge_foreign(mined: Mined) -> list[Difference]:
    """A transaction that we did not make."""
    if mined.service and not mined.moved.is_cancel:
        return [_difference("not_ours", mined, "a record of ours", str(mined.moved))]
    if not mined.member or mined.moved.kind is None:
        return []  # what moved nothing of anybody needs no note
    if mined.noted is None:
        return [_difference("not_noted", mined, str(mined.moved), "no row")]
    if mined.noted != mined.moved:
        return [_difference("note_differs", mined, str(mined.moved), str(mined.noted))]
    return []


def _difference(check: str, mined: Mined, expected: str, found: str) -> Difference:
    return Difference(check, mined.token, hash_words(mined.hash), expected, found)


def hash_words(hash_: bytes) -> str:
    """A hash as people copy it."""
    return "0x" + hash_.hex()


def _side(symid: bytes | None) -> str:
    return "" if symid is None else to_hex(symid)
